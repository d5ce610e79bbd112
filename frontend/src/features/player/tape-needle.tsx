import { useDeckState } from './deck-context';

/** Where a tape plays, as a needle over a picture of so many seconds; nothing while it is off. */
export function TapeNeedle(props: { tapeId: string; seconds: number }) {
  const { tapeId, positionSeconds } = useDeckState(props.tapeId);
  if (tapeId === null) return null;
  return (
    <div
      aria-hidden="true"
      data-testid="tape-needle"
      className="absolute inset-y-0 w-0.5 -translate-x-1/2 rounded-full bg-needle shadow-[0_0_10px_var(--needle)]"
      style={{ left: `${Math.min(1, positionSeconds / props.seconds) * 100}%` }}
    />
  );
}
