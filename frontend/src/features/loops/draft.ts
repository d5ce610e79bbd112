import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { LoopSpec_Ending } from '@/gen/musicgen/api/looper/v1/loop_pb';

/** A cycle by its frames; the end is the first frame after it. */
export interface Cycle {
  readonly start: bigint;
  readonly end: bigint;
  /** What rings on after it is added to its start. */
  readonly foldTail?: true;
}

/**
 * Which cycle repeats: the best (of those found, or that the studio finds), the track's own
 * points, points typed by hand, or one of those found.
 */
export type CycleChoice = 'best' | 'own' | 'hand' | Cycle;

/** How long: a preset in seconds, or by what is typed. */
export type Extent = number | 'minutes' | 'cycles' | 'until';

/** What is chosen and typed in the form, as typed. */
export interface LoopDraft {
  readonly cycle: CycleChoice;
  readonly start: string;
  readonly end: string;
  readonly snap: boolean;
  readonly extent: Extent;
  readonly minutes: string;
  readonly cycles: string;
  readonly until: string;
  readonly ending: LoopSpec_Ending;
  readonly fade: string;
  readonly skipIntro: boolean;
  readonly format: AudioFormat;
}

export type ChangeDraft = (change: Partial<LoopDraft>) => void;

/** How it stands when the form opens: an hour of the track's own loop, or of the best. */
export function firstDraft(track: Track): LoopDraft {
  return {
    cycle: track.loopPoints === undefined ? 'best' : 'own',
    start: '',
    end: '',
    snap: true,
    extent: 3_600,
    minutes: '',
    cycles: '',
    until: '07:00',
    ending: LoopSpec_Ending.CUT,
    fade: '5',
    skipIntro: false,
    format: AudioFormat.FLAC,
  };
}

export function sameCycle(one: Cycle | undefined, other: Cycle | undefined): boolean {
  return one !== undefined && one.start === other?.start && one.end === other.end;
}
