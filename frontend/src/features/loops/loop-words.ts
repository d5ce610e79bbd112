import { type LoopCandidate, LoopCandidate_Kind } from '@/gen/musicgen/api/looper/v1/loop_pb';
import { exactClock, lengthWords } from '@/ui/time';
import type { Cycle } from './draft';

/** "0:04.000 – 0:36.000" */
export function placeWords(cycle: Cycle, sampleRateHz: number): string {
  if (sampleRateHz <= 0) return '';
  const at = (frame: bigint) => exactClock(Number(frame) / sampleRateHz);
  return `${at(cycle.start)} – ${at(cycle.end)}`;
}

export function secondsOf(cycle: Cycle, sampleRateHz: number): number {
  return sampleRateHz > 0 ? Number(cycle.end - cycle.start) / sampleRateHz : 0;
}

/** "32 s, 16 bars" */
export function sizeOf(candidate: LoopCandidate, seconds: number): string {
  const { bars, beats } = candidate;
  const long = seconds < 10 ? `${Math.round(seconds * 100) / 100} s` : lengthWords(seconds);
  if (bars > 0) return `${long}, ${counted(bars, 'bar')}`;
  return beats > 0 ? `${long}, ${counted(beats, 'beat')}` : long;
}

/** How well it would repeat, in a word. */
export function qualityWord(score: number): string {
  if (score >= 0.95) return 'Seamless';
  if (score >= 0.9) return 'Very good';
  return score >= 0.8 ? 'Good' : 'Fair';
}

/** What one should know before choosing it. */
export function noteWords(candidate: LoopCandidate): string[] {
  const notes: string[] = [];
  if (candidate.kind === LoopCandidate_Kind.WHOLE_FILE) notes.push('the whole track');
  if (candidate.kind === LoopCandidate_Kind.TAIL) notes.push('rings on into its start');
  if (candidate.partial) notes.push('skips music');
  if (candidate.timingSpreadMs >= 10) {
    notes.push(`up to ${Math.round(candidate.timingSpreadMs)} ms off the beat`);
  }
  return notes;
}

export function counted(count: number, unit: string): string {
  return count === 1 ? `1 ${unit}` : `${count.toLocaleString('en')} ${unit}s`;
}
