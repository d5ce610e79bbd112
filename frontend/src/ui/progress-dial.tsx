import { Dial } from './dial';
import { LitPath } from './lit-path';

const MARKS = [0, 0.25, 0.5, 0.75, 1].map((at) => ({ at, label: `${at * 100}` }));
const TICKS = 80;

/** Measured progress as a tuner scale: lit up to where the work has come. */
export function ProgressDial(props: {
  label: string;
  /** Share done, 0 to 1; absent while nothing is known. */
  fraction: number | undefined;
}) {
  const fraction = props.fraction;
  const known = fraction !== undefined;
  return (
    <div
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.floor(fraction * 100) : undefined}
    >
      <Dial marks={MARKS} needle={fraction}>
        <LitPath
          className="h-7"
          d={TICK_PATH}
          width={TICKS}
          height={10}
          strokeWidth={1.5}
          lit={fraction ?? 0}
        />
      </Dial>
    </div>
  );
}

/** The scale alone, unlit: nothing is being made. */
export function RestingScale() {
  return (
    <LitPath className="h-7" d={TICK_PATH} width={TICKS} height={10} strokeWidth={1.5} lit={0} />
  );
}

/** Long ticks at the tens, short ones between. */
const TICK_PATH = Array.from({ length: TICKS + 1 }, (_, tick) => {
  const height = tick % 20 === 0 ? 10 : tick % 4 === 0 ? 6.5 : 4;
  return `M${tick} 10v${-height}`;
}).join('');
