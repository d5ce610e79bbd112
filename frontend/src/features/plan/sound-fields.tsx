import { useId } from 'react';
import { controlClass, Field, fieldProps } from '@/ui/field';
import { type Choices, withPresent } from './choices';
import { withMetre } from './edit';
import { type Faults, faultAt } from './faults';
import { ChoiceField, NumberField, ShareField } from './fields';
import { metreOf, TONICS, tonicName } from './music';
import type { Plan } from './plan';
import { plain } from './plan-words';

/** "40–220 bpm", as far as the studio says what can be. */
function tempoUnit({ tempo: { min, max } }: Choices): string {
  return Number.isFinite(max - min) ? `${min}–${max} bpm` : 'bpm';
}

/** Edits what holds for the whole piece. */
export function SoundFields(props: {
  plan: Plan;
  /** The plan before it was edited: its swing comes back with an even metre. */
  original: Plan;
  choices: Choices;
  faults: Faults;
  onEdit: (plan: Plan, path: string) => void;
  onEnergy: (energy: number) => void;
}) {
  const { plan, choices, faults, onEdit } = props;
  const id = useId();
  const at = (path: string) => faultAt(faults, path, true);
  const set = (part: Partial<Plan>, path: string) => onEdit({ ...plan, ...part }, path);
  const { even } = metreOf(plan.metre);
  const keyError = at('tonic') ?? at('mode');
  return (
    <div className="grid grid-cols-2 items-start gap-x-4 gap-y-3 sm:grid-cols-3">
      <NumberField
        id={`${id}-tempo`}
        testId="plan-tempo"
        label="Tempo"
        unit={tempoUnit(choices)}
        value={plan.tempo_bpm}
        error={at('tempo_bpm')}
        onChange={(tempo_bpm) => set({ tempo_bpm }, 'tempo_bpm')}
      />
      <Field id={`${id}-tonic`} label="Key" error={keyError}>
        <div className="grid grid-cols-[minmax(3.6rem,2fr)_minmax(0,3fr)] gap-1.5">
          <select
            {...fieldProps(`${id}-tonic`, keyError)}
            data-testid="plan-tonic"
            className={`${controlClass} px-2!`}
            value={plan.tonic}
            onChange={(event) => set({ tonic: Number(event.target.value) }, 'tonic')}
          >
            {TONICS.map((tonic) => (
              <option key={tonic} value={tonic}>
                {tonicName(tonic, plan.mode)}
              </option>
            ))}
          </select>
          <select
            aria-label="Mode"
            data-testid="plan-mode"
            className={`${controlClass} px-2!`}
            value={plan.mode}
            onChange={(event) => set({ mode: event.target.value }, 'mode')}
          >
            {withPresent(choices.modes, plan.mode).map((mode) => (
              <option key={mode} value={mode}>
                {mode}
              </option>
            ))}
          </select>
        </div>
      </Field>
      <ChoiceField
        id={`${id}-metre`}
        testId="plan-metre"
        label="Metre"
        value={plan.metre}
        choices={withPresent(choices.metres, plan.metre)}
        name={(metre) => metre}
        error={at('metre')}
        onChange={(metre) => onEdit(withMetre(plan, metre, props.original.swing), 'metre')}
      />
      <ShareField
        id={`${id}-swing`}
        testId="plan-swing"
        label="Swing"
        max={choices.swing.max}
        value={plan.swing}
        disabled={!even}
        {...(even ? {} : { hint: `none in ${plan.metre}` })}
        error={at('swing')}
        onChange={(swing) => set({ swing }, 'swing')}
      />
      <ShareField
        id={`${id}-energy`}
        testId="plan-energy"
        label="Overall energy"
        value={plan.energy}
        error={at('energy')}
        onChange={props.onEnergy}
      />
      <ChoiceField
        id={`${id}-texture`}
        testId="plan-texture"
        label="Background"
        value={plan.texture}
        choices={withPresent(['', ...choices.textures], plan.texture)}
        name={(texture) => (texture === '' ? 'None' : plain(texture))}
        error={at('texture')}
        onChange={(texture) => set({ texture }, 'texture')}
      />
      <div className="col-span-full">
        <Field id={`${id}-title`} label="Title" error={at('title')}>
          <input
            {...fieldProps(`${id}-title`, at('title'))}
            data-testid="plan-title"
            className={controlClass}
            dir="auto"
            autoComplete="off"
            value={plan.title}
            onChange={(event) => set({ title: event.target.value }, 'title')}
          />
        </Field>
      </div>
    </div>
  );
}
