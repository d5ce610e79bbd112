import { takeLostFocus } from '@/ui/focus';
import { PauseIcon, PlayIcon } from '@/ui/icons';
import { useDeck, useDeckState } from './deck-context';
import type { Tape } from './tape';

/** Plays a tape, or pauses it. */
export function PlayButton(props: { tape: Tape; large?: boolean; testId?: string }) {
  const { tape, large = false } = props;
  const deck = useDeck();
  const { playing, problem } = useDeckState(tape.tapeId);
  const rest = problem === null ? 'border-line text-ink hover:border-edge' : 'border-bad text-bad';
  const look = playing ? 'border-accent bg-accent text-on-accent' : `bg-well ${rest}`;
  return (
    <button
      // A finished track's button comes up where the one of its preview was pressed.
      ref={large && playing ? takeLostFocus : undefined}
      type="button"
      data-testid={props.testId ?? (large ? 'play' : 'row-play')}
      title={problem ?? undefined}
      aria-label={`${playing ? 'Pause' : 'Play'} ${tape.title}`}
      className={`grid place-items-center rounded-full border transition-colors ${look} ${large ? 'size-12' : 'size-9'}`}
      onClick={() => deck.toggle(tape)}
    >
      {playing ? <PauseIcon size={large ? 22 : 17} /> : <PlayIcon size={large ? 22 : 17} />}
    </button>
  );
}
