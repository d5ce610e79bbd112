import { useRef } from 'react';
import { Dial } from '@/ui/dial';
import { clock, scaleSteps } from '@/ui/time';
import { useDeck, useDeckState } from './deck-context';
import { PlayButton } from './play-button';
import { SeekSlider } from './seek-slider';
import { availableSeconds, type Tape } from './tape';

/** Plays a piece that is still being made, as far as it is there. */
export function PreviewPlayer(props: { tape: Tape }) {
  const deck = useDeck();
  const state = useDeckState(props.tape.tapeId);
  const isOn = state.tapeId !== null;
  // Between two attempts there is nothing new; what is on goes on with what it has.
  const tape = props.tape.stretches.length === 0 && isOn && deck.tape ? deck.tape : props.tape;
  const reach = availableSeconds(tape);
  if (reach === 0) return null;
  const length = Math.max(tape.durationSeconds, reach);
  return (
    <div data-testid="preview" className="grid grid-cols-1 gap-1.5">
      <div className="grid grid-cols-[auto_minmax(0,1fr)] items-center gap-3">
        <PlayButton tape={tape} testId="preview-play" large />
        <TapeScale
          title={tape.title}
          length={length}
          reach={reach}
          position={state.positionSeconds}
          onSeek={(seconds) => deck.seek(tape, seconds)}
        />
      </div>
      <p className="figures flex flex-wrap justify-between gap-x-3 text-sm text-muted">
        <span role="status" data-testid="preview-status" className="text-ink">
          {state.waiting && 'Waiting for more…'}
          {!isOn && 'Listen already'}
        </span>
        <span data-testid="preview-time" className="ml-auto">
          {isOn && (
            <>
              <span className="text-ink">{clock(state.positionSeconds)}</span> / {clock(length)},{' '}
            </>
          )}
          {clock(reach)} ready
        </span>
      </p>
    </div>
  );
}

/** The whole length on glass: what was heard, what can be heard, what is still to come. */
function TapeScale(props: {
  title: string;
  length: number;
  reach: number;
  position: number;
  onSeek: (seconds: number) => void;
}) {
  const { length, reach, position } = props;
  const box = useRef<HTMLDivElement>(null);
  const share = (seconds: number) => `${Math.min(1, seconds / length) * 100}%`;
  const marks = scaleSteps(length, 5).map((at) => ({ at: at / length, label: clock(at) }));
  return (
    <SeekSlider
      title={props.title}
      testId="preview-scale"
      durationSeconds={length}
      positionSeconds={position}
      reachSeconds={reach}
      box={box}
      onSeek={props.onSeek}
    >
      <Dial marks={marks} needle={Math.min(1, position / length)}>
        <div ref={box} className="relative h-4">
          <div className="absolute inset-x-0 top-[7px] h-0.5 rounded-full bg-glow-dim/40" />
          <div
            className="absolute top-1 left-0 h-2 rounded-full bg-glow-dim transition-[width] duration-500"
            style={{ width: share(reach) }}
          />
          <div
            className="absolute top-1 left-0 h-2 rounded-full bg-glow shadow-[0_0_8px_var(--glow-dim)]"
            style={{ width: share(position) }}
          />
        </div>
      </Dial>
    </SeekSlider>
  );
}
