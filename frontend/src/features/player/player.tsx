import { clock } from '@/ui/time';
import { useDeck, useDeckState } from './deck-context';
import { PlayButton } from './play-button';
import type { Tape } from './tape';
import { Waveform } from './waveform';

/** Plays one finished track: button, waveform, time. */
export function Player(props: { tape: Tape; peaksUrl: string }) {
  const { tape } = props;
  const deck = useDeck();
  const state = useDeckState(tape.tapeId);
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
