import { PauseIcon, PlayIcon } from '@/ui/icons';
import { clock } from '@/ui/time';
import type { Tape } from './deck';
import { useDeck, useDeckState } from './deck-context';
import { Waveform } from './waveform';

/** Plays one track: button, waveform, time. */
export function Player(props: { tape: Tape; peaksUrl: string }) {
  const { tape } = props;
  const deck = useDeck();
  const state = useDeckState(tape.trackId);
  return (
    <div className="grid grid-cols-1 gap-2">
      <div className="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-3">
        <PlayButton tape={tape} large />
        <Waveform
          title={tape.title}
          peaksUrl={props.peaksUrl}
          durationSeconds={tape.durationSeconds}
          positionSeconds={state.positionSeconds}
          onSeek={(seconds) => deck.seek(tape, seconds)}
        />
      </div>
      <p className="figures flex justify-between gap-3 text-sm text-muted">
        <span role="status" className="text-bad">
          {state.problem}
        </span>
        <span data-testid="time">
          <span className="text-ink">{clock(state.positionSeconds)}</span> /{' '}
          {clock(tape.durationSeconds)}
        </span>
      </p>
    </div>
  );
}

/** The play button alone, for a row of a list. */
export function PlayButton(props: { tape: Tape; large?: boolean }) {
  const { tape, large = false } = props;
  const deck = useDeck();
  const { playing, problem } = useDeckState(tape.trackId);
  const rest = problem === null ? 'border-line text-ink hover:border-edge' : 'border-bad text-bad';
  const look = playing ? 'border-accent bg-accent text-on-accent' : `bg-well ${rest}`;
  return (
    <button
      type="button"
      data-testid={large ? 'play' : 'row-play'}
      title={problem ?? undefined}
      aria-label={`${playing ? 'Pause' : 'Play'} ${tape.title}`}
      className={`grid place-items-center rounded-full border transition-colors ${look} ${large ? 'size-12' : 'size-9'}`}
      onClick={() => deck.toggle(tape)}
    >
      {playing ? <PauseIcon size={large ? 22 : 17} /> : <PlayIcon size={large ? 22 : 17} />}
    </button>
  );
}
