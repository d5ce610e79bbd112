import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { lengthWords } from '@/ui/time';

/** Exact length in seconds. */
export function durationOf(track: Track): number {
  const { durationFrames = 0n, sampleRateHz = 0 } = track.audio ?? {};
  return sampleRateHz > 0 ? Number(durationFrames) / sampleRateHz : 0;
}

/** Who and what: "Ada, Night Songs, lofi". */
export function creditWords(track: Track): string {
  const year = track.year?.toString() ?? '';
  return [track.artist, track.album, track.genre, year].filter((word) => word !== '').join(', ');
}

/** Facts of the music: "82 bpm, A minor, seed 7". */
export function musicWords(track: Track): string {
  const facts: string[] = [];
  if (track.tempoBpm !== undefined) facts.push(`${Math.round(track.tempoBpm * 10) / 10} bpm`);
  if (track.musicalKey !== '') facts.push(track.musicalKey);
  const seed = seedOf(track);
  if (seed !== undefined) facts.push(`seed ${seed}`);
  return facts.join(', ');
}

/** The same with the length before it: "1 min 30 s, 82 bpm, A minor, seed 7". */
export function factWords(track: Track): string {
  return [lengthWords(durationOf(track)), musicWords(track)].filter((one) => one !== '').join(', ');
}

/** Whether an engine made it, from a prompt or a plan; else it was made of other audio. */
export function isGenerated(track: Track): boolean {
  return typeof track.recipe?.engine === 'string';
}

function seedOf(track: Track): number | undefined {
  const { recipe } = track;
  const parameters = recipe?.parameters;
  const seed =
    typeof parameters === 'object' && parameters !== null && !Array.isArray(parameters)
      ? parameters.seed
      : recipe?.seed;
  return typeof seed === 'number' ? seed : undefined;
}
