import { controlClass, Field, fieldProps } from '@/ui/field';
import { lengthWords } from '@/ui/time';
import { lengthSeconds } from './build-spec';
import type { Draft, LengthUnit } from './draft';

const STEPS = 200;

/** A length by slider or by number. The slider is logarithmic: short lengths matter more. */
export function LengthField(props: {
  draft: Draft;
  /** Range of the engine, in seconds. */
  range: { readonly min: number; readonly max: number };
  error: string | undefined;
  remedy: string | undefined;
  onChange: (change: Pick<Draft, 'length' | 'lengthUnit'>) => void;
}) {
  const { draft, range } = props;
  const seconds = lengthSeconds(draft);
  const slide = (position: number) => {
    const raw = range.min * (range.max / range.min) ** (position / STEPS);
    const step = raw < 60 ? 1 : raw < 300 ? 5 : 30;
    const chosen = Math.min(range.max, Math.max(range.min, Math.round(raw / step) * step));
    const inMinutes = draft.lengthUnit === 'min';
    const length = inMinutes ? String(Math.round((chosen / 60) * 100) / 100) : String(chosen);
    props.onChange({ length, lengthUnit: draft.lengthUnit });
  };
  const changeUnit = (lengthUnit: LengthUnit) => {
    const kept = lengthUnit === 'min' ? seconds / 60 : seconds;
    const length = Number.isFinite(kept) ? String(Math.round(kept * 100) / 100) : draft.length;
    props.onChange({ length, lengthUnit });
  };
  return (
    <Field
      id="length"
      label="Length"
      error={props.error}
      remedy={props.remedy}
      aside={
        <span className="figures text-sm text-muted">
          {seconds > 0 && lengthWords(seconds)}
          {seconds === 0 && 'Engine’s default'}
        </span>
      }
    >
      <input
        type="range"
        aria-label="Length, by slider"
        data-testid="length-slider"
        className="w-full"
        min={0}
        max={STEPS}
        value={positionOf(seconds, range)}
        aria-valuetext={lengthWords(seconds || 0)}
        onChange={(event) => slide(Number(event.target.value))}
      />
      <div className="grid grid-cols-[1fr_auto] gap-2">
        <input
          {...fieldProps('length', props.error)}
          data-testid="length"
          className={`${controlClass} figures`}
          inputMode="decimal"
          autoComplete="off"
          value={draft.length}
          onChange={(event) =>
            props.onChange({ length: event.target.value, lengthUnit: draft.lengthUnit })
          }
        />
        <select
          aria-label="Unit of length"
          data-testid="length-unit"
          className={controlClass}
          value={draft.lengthUnit}
          onChange={(event) => changeUnit(event.target.value === 'min' ? 'min' : 's')}
        >
          <option value="s">seconds</option>
          <option value="min">minutes</option>
        </select>
      </div>
    </Field>
  );
}

function positionOf(seconds: number, range: { min: number; max: number }): number {
  if (!(seconds > range.min)) return 0;
  const share = Math.log(seconds / range.min) / Math.log(range.max / range.min);
  return Math.round(Math.min(1, share) * STEPS);
}
