import { exactClock, readClock } from '@/ui/time';

/** A part to make anew, as typed. */
export interface Part {
  readonly key: number;
  readonly start: string;
  readonly end: string;
}

/** What is wrong with a part's ends. */
export interface PartFault {
  readonly start?: string;
  readonly end?: string;
}

export interface Range {
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** Times that people read off a page are rounded; the studio takes as much. */
const TOLERANCE_SECONDS = 0.01;

/** A part as far as it is a time; NaN for an end that is none. */
export function rangeOf(part: Part): Range {
  return { startSeconds: readClock(part.start), endSeconds: readClock(part.end) };
}

/** What is wrong with parts of a piece of so many seconds, by key; empty if nothing is. */
export function faultsOf(
  parts: readonly Part[],
  lengthSeconds: number,
): ReadonlyMap<number, PartFault> {
  const faults = new Map<number, PartFault>();
  const ordered = inOrder(parts);
  for (const [index, part] of ordered.entries()) {
    const fault = faultOf(part, ordered[index - 1], lengthSeconds);
    if (fault !== null) faults.set(part.key, fault);
  }
  return faults;
}

/** Parts by where they begin; those that begin nowhere come last. */
export function inOrder(parts: readonly Part[]): Part[] {
  const place = (part: Part) => {
    const { startSeconds } = rangeOf(part);
    return Number.isNaN(startSeconds) ? Number.POSITIVE_INFINITY : startSeconds;
  };
  return [...parts].sort((a, b) => (place(a) === place(b) ? a.key - b.key : place(a) - place(b)));
}

function faultOf(part: Part, before: Part | undefined, lengthSeconds: number): PartFault | null {
  const { startSeconds, endSeconds } = rangeOf(part);
  const last = lengthSeconds + TOLERANCE_SECONDS;
  const start = Number.isNaN(startSeconds)
    ? 'Write a time such as 0:42.5.'
    : startSeconds >= lengthSeconds
      ? `The track is over by then: it lasts ${exactClock(lengthSeconds)}.`
      : before !== undefined && rangeOf(before).endSeconds > startSeconds
        ? 'This is inside the part before it.'
        : undefined;
  const end = Number.isNaN(endSeconds)
    ? 'Write a time such as 0:58.'
    : endSeconds <= startSeconds
      ? 'It must end after it begins.'
      : endSeconds > last
        ? `The track ends before that, at ${exactClock(lengthSeconds)}.`
        : undefined;
  if (start === undefined && end === undefined) return null;
  return { ...(start === undefined ? {} : { start }), ...(end === undefined ? {} : { end }) };
}
