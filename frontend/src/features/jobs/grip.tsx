import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from 'react';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { GripIcon } from '@/ui/icons';
import { useBenchTools } from './bench-context';
import { shortName } from './job-words';

/** A press becomes a drag after so many pixels. */
const SLACK_PX = 4;
/** So near to the edge of the window the page scrolls along. */
const EDGE_PX = 56;
const SCROLL_PX = 14;

interface Carried {
  readonly by: 'pointer' | 'keys';
  readonly fromY: number;
  /** Whether it has left its place. */
  begun: boolean;
  /** The entry it would go before; null: behind all; undefined: where it is. */
  beforeId: string | null | undefined;
}

/**
 * The handle by which a waiting job is put elsewhere in its line. Dragged, or by keyboard:
 * Enter or Space picks it up, the arrows choose a place, Enter puts it there, Escape lets
 * it be.
 */
export function Grip(props: {
  job: Job;
  lifted: boolean;
  onDrop: (beforeId: string | null) => Promise<void>;
}) {
  const { job, lifted } = props;
  const { say, setLift } = useBenchTools();
  const button = useRef<HTMLButtonElement>(null);
  const carried = useRef<Carried | null>(null);
  const name = shortName(job);

  const letGo = () => {
    if (carried.current === null) return;
    carried.current = null;
    setLift(null);
    entryOf(button.current)?.style.removeProperty('transform');
  };
  // It may be taken by a worker while it is held.
  useEffect(
    () => () => {
      if (carried.current !== null) setLift(null);
    },
    [setLift],
  );
  const show = (beforeId: string | null | undefined) => {
    const now = carried.current;
    if (now === null || (now.begun && now.beforeId === beforeId)) return;
    now.begun = true;
    now.beforeId = beforeId;
    setLift({ jobId: job.jobId, mark: markOf(button.current, beforeId) });
  };
  const drop = () => {
    const now = carried.current;
    letGo();
    if (now?.begun === true && now.beforeId !== undefined) void props.onDrop(now.beforeId);
  };

  const onPointerDown = (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    letGo();
    const fromY = event.clientY + window.scrollY;
    carried.current = { by: 'pointer', fromY, begun: false, beforeId: undefined };
  };
  const onPointerMove = (event: PointerEvent<HTMLButtonElement>) => {
    const now = carried.current;
    if (now?.by !== 'pointer') return;
    const movedPx = event.clientY + window.scrollY - now.fromY;
    if (!now.begun && Math.abs(movedPx) < SLACK_PX) return;
    if (event.clientY < EDGE_PX) window.scrollBy(0, -SCROLL_PX);
    if (event.clientY > window.innerHeight - EDGE_PX) window.scrollBy(0, SCROLL_PX);
    const entry = entryOf(button.current);
    if (entry !== null) entry.style.transform = `translateY(${movedPx}px)`;
    show(placeAt(button.current, event.clientY));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const now = carried.current;
    const picks = event.key === 'Enter' || event.key === ' ';
    if (now?.by !== 'keys') {
      if (!picks || event.repeat) return;
      event.preventDefault();
      carried.current = { by: 'keys', fromY: 0, begun: false, beforeId: undefined };
      show(undefined);
      say(`${name} is picked up. Arrows choose its place, Enter puts it there, Escape lets it be.`);
      return;
    }
    if (picks) drop();
    else if (event.key === 'Escape') {
      letGo();
      say(`${name} stays where it was.`);
    } else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') {
      const [beforeId, words] = step(button.current, now.beforeId, event.key === 'ArrowUp');
      show(beforeId);
      say(words);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <button
      ref={button}
      type="button"
      data-testid="grip"
      aria-label={`Put ${name} elsewhere in the line`}
      aria-pressed={lifted}
      className="-ml-1.5 flex h-9 w-7 shrink-0 cursor-grab touch-none items-center justify-center rounded-md text-muted hover:text-ink active:cursor-grabbing aria-pressed:bg-accent aria-pressed:text-on-accent"
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => carried.current?.by === 'pointer' && drop()}
      onPointerCancel={letGo}
      onKeyDown={onKeyDown}
      onBlur={() => carried.current?.by === 'keys' && letGo()}
    >
      <GripIcon />
    </button>
  );
}

/** The list item that a control lies in. */
function entryOf(inside: Element | null): HTMLElement | null {
  return inside?.closest<HTMLElement>('li[data-first]') ?? null;
}

/** The entries of the same line that are shown, from its start, the job itself among them. */
function entriesOf(inside: Element | null): HTMLElement[] {
  const own = entryOf(inside);
  const all = [...(own?.parentElement?.children ?? [])] as HTMLElement[];
  return all.filter(({ dataset }) => dataset.queue === own?.dataset.queue && dataset.first);
}

const firstOf = (entry: HTMLElement | undefined) => entry?.dataset.first ?? null;

/** Before which entry something lies that is held at this height; undefined: where it is. */
function placeAt(inside: Element | null, clientY: number): string | null | undefined {
  const own = entryOf(inside);
  const entries = entriesOf(inside);
  const others = entries.filter((entry) => entry !== own);
  const below = others.findIndex((entry) => {
    const { top, bottom } = entry.getBoundingClientRect();
    return clientY < (top + bottom) / 2;
  });
  const at = below < 0 ? others.length : below;
  return own !== null && entries.indexOf(own) === at ? undefined : firstOf(others[at]);
}

/** One place further up or down, and what that is called. */
function step(
  inside: Element | null,
  beforeId: string | null | undefined,
  up: boolean,
): [string | null | undefined, string] {
  const own = entryOf(inside);
  const entries = entriesOf(inside);
  const others = entries.filter((entry) => entry !== own);
  const home = own === null ? 0 : entries.indexOf(own);
  const named = others.findIndex((entry) => firstOf(entry) === beforeId);
  const now = beforeId === undefined ? home : named < 0 ? others.length : named;
  const at = Math.max(0, Math.min(others.length, now + (up ? -1 : 1)));
  const words = `Place ${at + 1} of ${entries.length}${at === home ? ', where it was' : ''}`;
  return [at === home ? undefined : firstOf(others[at]), words];
}

function markOf(inside: Element | null, beforeId: string | null | undefined) {
  if (beforeId === undefined) return null;
  if (beforeId !== null) return { firstId: beforeId, side: 'before' as const };
  const firstId = firstOf(entriesOf(inside).at(-1)) ?? '';
  return { firstId, side: 'after' as const };
}
