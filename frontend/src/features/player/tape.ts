/** A stretch of a piece, in a file of its own. */
export interface Stretch {
  readonly src: string;
  /** Where in the piece it begins. */
  readonly startSeconds: number;
  /** Exact length from the file's own facts; a stream's header can't be trusted for it. */
  readonly durationSeconds: number;
}

/** What the deck can play: a track, or a piece of which only the beginning is there yet. */
export interface Tape {
  readonly tapeId: string;
  readonly title: string;
  readonly artist: string;
  /** Length of the whole piece, whether it is there or not. */
  readonly durationSeconds: number;
  /** From the start, in order, without gaps. */
  readonly stretches: readonly Stretch[];
  /** Whether these stretches are all; else more may follow. */
  readonly whole: boolean;
}

/** A tape that is one file. */
export function wholeTape(track: Omit<Tape, 'stretches' | 'whole'> & { src: string }): Tape {
  const { src, ...tape } = track;
  const { durationSeconds } = tape;
  return { ...tape, stretches: [{ src, startSeconds: 0, durationSeconds }], whole: true };
}

/** Up to where it can be heard. */
export function availableSeconds(tape: Tape): number {
  const last = tape.stretches.at(-1);
  return last === undefined ? 0 : endOf(last);
}

export function endOf(stretch: Stretch): number {
  return stretch.startSeconds + stretch.durationSeconds;
}

/** Positions this near the end of a stretch are the start of the next one. */
const SLACK_SECONDS = 0.01;

/** The stretch that sounds at a position; undefined where there is none (yet). */
export function stretchAt(tape: Tape, seconds: number): Stretch | undefined {
  return tape.stretches.find((stretch) => seconds < endOf(stretch) - SLACK_SECONDS);
}

/** Whether two tapes hold the same files. */
export function sameStretches(one: Tape, other: Tape): boolean {
  return (
    one.stretches.length === other.stretches.length &&
    one.stretches.every((stretch, index) => stretch.src === other.stretches[index]?.src)
  );
}
