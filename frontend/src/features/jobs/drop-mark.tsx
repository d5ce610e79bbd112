import type { Mark } from './bench-context';

/** Where what is dragged would be put down: a line in the gap beside an entry. */
export function DropMark(props: { side: Mark['side'] | undefined }) {
  if (props.side === undefined) return null;
  return (
    <span
      aria-hidden="true"
      data-testid="drop-mark"
      className={`pointer-events-none absolute inset-x-1 z-20 h-1 rounded-full bg-accent ${props.side === 'before' ? '-top-2' : '-bottom-2'}`}
    />
  );
}
