import type { MessageInitShape } from '@bufbuild/protobuf';
import { type ApiError, localFieldError } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import {
  type LoopAnalysis,
  type LoopCandidate,
  LoopCandidate_Kind,
  LoopSpec_Ending,
  type LoopSpecSchema,
} from '@/gen/musicgen/api/looper/v1/loop_pb';
import type { Cycle, LoopDraft } from './draft';
import { readFrame, readNumber, secondsUntil } from './times';

export type LoopInit = MessageInitShape<typeof LoopSpecSchema>;

/** What is to be asked for, or why it can't be: only what can't be sent is judged here. */
export type Built = { readonly spec: LoopInit } | { readonly error: ApiError };

/** Turns what is chosen and typed into a spec; times of day count from `now`. */
export function buildSpec(
  track: Track,
  draft: LoopDraft,
  analysis: LoopAnalysis | undefined,
  now: Date,
): Built {
  const extent = readExtent(draft, now);
  if ('error' in extent) return extent;
  const points = readPoints(track, draft, analysis);
  if (points !== undefined && 'error' in points) return points;
  const fades = draft.ending === LoopSpec_Ending.FADE;
  const fadeSeconds = readNumber(draft.fade);
  if (fades && !Number.isFinite(fadeSeconds)) {
    return wrong('fade_seconds', 'The fade is not a number.', 'Write seconds such as 5.');
  }
  return {
    spec: {
      source: { source: { case: 'trackId', value: track.trackId } },
      extent: extent.extent,
      ...(points === undefined
        ? {}
        : { points: { startFrame: points.start, endFrame: points.end } }),
      snapPoints: draft.cycle === 'hand' && draft.snap,
      foldTail: points?.foldTail === true,
      ending: draft.ending,
      ...(fades ? { fadeSeconds } : {}),
      skipIntro: draft.skipIntro,
      format: draft.format,
    },
  };
}

/** The cycle that is chosen, as far as it is known. */
export function chosenCycle(
  track: Track,
  draft: LoopDraft,
  analysis: LoopAnalysis | undefined,
): Cycle | undefined {
  const points = readPoints(track, draft, analysis);
  return points === undefined || 'error' in points ? undefined : points;
}

function readExtent(
  draft: LoopDraft,
  now: Date,
): { readonly extent: NonNullable<LoopInit['extent']> } | { readonly error: ApiError } {
  const lasting = (value: number) => ({ extent: { case: 'lengthSeconds' as const, value } });
  switch (draft.extent) {
    case 'minutes': {
      const minutes = readNumber(draft.minutes);
      if (Number.isFinite(minutes)) return lasting(minutes * 60);
      return wrong('length_seconds', 'The length is not a number.', 'Write minutes such as 45.');
    }
    case 'cycles': {
      const cycles = readNumber(draft.cycles);
      // What doesn't fit into the message would be another number there.
      if (Number.isInteger(cycles) && Math.abs(cycles) < 2 ** 31) {
        return { extent: { case: 'cycles', value: cycles } };
      }
      return wrong('cycles', 'That is no number of times.', 'Write a whole number such as 12.');
    }
    case 'until': {
      const seconds = secondsUntil(draft.until, now);
      if (Number.isFinite(seconds)) return lasting(seconds);
      return wrong('length_seconds', 'That is no time of day.', 'Write a time such as 07:00.');
    }
    default:
      return lasting(draft.extent);
  }
}

function readPoints(
  track: Track,
  draft: LoopDraft,
  analysis: LoopAnalysis | undefined,
): Cycle | { readonly error: ApiError } | undefined {
  if (draft.cycle === 'own') return cycleOf(track.loopPoints);
  if (draft.cycle === 'best') return foundCycle(analysis?.candidates[0]);
  if (draft.cycle !== 'hand') return draft.cycle;
  const rate = track.audio?.sampleRateHz ?? 0;
  const [start, end] = [readFrame(draft.start, rate), readFrame(draft.end, rate)];
  const remedy = 'Write a time such as 1:02.345, or a whole number of frames.';
  if (start === undefined) return wrong('start_frame', 'The start is no place in it.', remedy);
  if (end === undefined) return wrong('end_frame', 'The end is no place in it.', remedy);
  return { start, end };
}

export function cycleOf(
  points: { readonly startFrame: bigint; readonly endFrame: bigint } | undefined,
): Cycle | undefined {
  return points && { start: points.startFrame, end: points.endFrame };
}

/** A cycle that was found, to be joined as it was heard. */
export function foundCycle(candidate: LoopCandidate | undefined): Cycle | undefined {
  const cycle = cycleOf(candidate?.points);
  const rings = candidate?.kind === LoopCandidate_Kind.TAIL;
  return cycle !== undefined && rings ? { ...cycle, foldTail: true } : cycle;
}

function wrong(field: string, message: string, remedy: string): { readonly error: ApiError } {
  return { error: localFieldError(field, message, remedy) };
}
