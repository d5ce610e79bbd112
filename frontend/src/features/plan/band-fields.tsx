import { useId } from 'react';
import { Button } from '@/ui/button';
import { controlClass, fieldProps } from '@/ui/field';
import { type Choices, instrumentsFor, KITS, PATTERNS, withPresent } from './choices';
import { PATTERN_OF, withInstrument, withoutPart, withPartOf } from './edit';
import { type Faults, faultAt } from './faults';
import { PARTS, type Part, type Plan, partsOf } from './plan';
import { partName, plain } from './plan-words';

/** What an added part plays at first, where the piece didn't have it before. */
const FIRST: Readonly<Record<Part, string>> = {
  drums: 'pop',
  bass: 'electric_bass',
  chords: 'electric_piano',
  pad: 'warm_pad',
  arp: 'synth_pluck',
  lead: 'flute',
};

/** Edits who plays: an instrument for each part, and the pattern that it plays. */
export function BandFields(props: {
  plan: Plan;
  /** The plan before it was edited: a part that comes back is as it was there. */
  original: Plan;
  choices: Choices;
  faults: Faults;
  onEdit: (plan: Plan, path: string) => void;
}) {
  const { plan, onEdit } = props;
  const parts = partsOf(plan);
  const missing = PARTS.filter((part) => !parts.includes(part));
  const add = (part: Part) => {
    const instrument = props.original.parts[part] ?? FIRST[part];
    const known = part === 'drums' ? KITS : props.choices.instruments;
    const first = known.includes(instrument) ? instrument : (known[0] ?? instrument);
    const next = withPartOf(plan, part, props.original) ?? withInstrument(plan, part, first);
    onEdit(next, `parts.${part}`);
  };
  return (
    <div className="grid grid-cols-1 gap-2">
      <ul className="grid grid-cols-1 gap-2">
        {parts.map((part) => (
          <PartRow
            key={part}
            {...props}
            part={part}
            onlyOne={parts.length === 1}
            onRemove={() => onEdit(withoutPart(plan, part), `parts.${part}`)}
          />
        ))}
      </ul>
      {missing.length > 0 && (
        <div className="flex flex-wrap items-center gap-1.5">
          {missing.map((part) => (
            <Button
              key={part}
              data-testid={`add-${part}`}
              className="py-1!"
              aria-label={`Add ${partName(part).toLowerCase()}`}
              onClick={() => add(part)}
            >
              + {partName(part)}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}

function PartRow(props: {
  plan: Plan;
  part: Part;
  choices: Choices;
  faults: Faults;
  onlyOne: boolean;
  onEdit: (plan: Plan, path: string) => void;
  onRemove: () => void;
}) {
  const { plan, part, faults, onlyOne, onEdit } = props;
  const id = useId();
  const style = PATTERN_OF[part]?.style;
  const error = faultAt(faults, `parts.${part}`);
  const styleError = style === undefined ? undefined : faultAt(faults, `styles.${style}`);
  const said = error ?? styleError;
  const name = partName(part);
  return (
    <li
      data-testid={`part-${part}`}
      className="grid grid-cols-[minmax(0,1fr)_auto] items-center gap-x-2 gap-y-1 sm:grid-cols-[5.5rem_minmax(0,1fr)_auto]"
    >
      <label htmlFor={id} className="plate">
        {name}
      </label>
      <div className="grid min-w-0 grid-cols-2 gap-1.5 max-sm:col-span-2 max-sm:row-start-2">
        <select
          {...fieldProps(id, error)}
          data-testid={`instrument-${part}`}
          className={`${controlClass} px-2! ${style === undefined ? 'col-span-2' : ''}`}
          value={plan.parts[part]}
          onChange={(event) =>
            onEdit(withInstrument(plan, part, event.target.value), `parts.${part}`)
          }
        >
          {instrumentsFor(part, props.choices, plan).map((instrument) => (
            <option key={instrument} value={instrument}>
              {plain(instrument)}
              {part === 'drums' ? ' kit' : ''}
            </option>
          ))}
        </select>
        {style !== undefined && (
          <select
            aria-label={`Pattern of the ${name.toLowerCase()}`}
            aria-invalid={styleError !== undefined}
            data-testid={`pattern-${part}`}
            className={`${controlClass} px-2!`}
            value={plan.styles[style]}
            onChange={(event) => {
              const styles = { ...plan.styles, [style]: event.target.value };
              onEdit({ ...plan, styles }, `styles.${style}`);
            }}
          >
            {withPresent(PATTERNS[style] ?? [], plan.styles[style]).map((pattern) => (
              <option key={pattern} value={pattern}>
                {plain(pattern)}
              </option>
            ))}
          </select>
        )}
      </div>
      <Button
        look="quiet"
        data-testid={`remove-${part}`}
        aria-label={`Remove ${name.toLowerCase()}`}
        aria-disabled={onlyOne}
        onClick={() => onlyOne || props.onRemove()}
      >
        Remove
      </Button>
      {said !== undefined && (
        <p
          id={`${id}-error`}
          role="alert"
          data-testid="field-error"
          className="col-span-full text-sm font-medium text-bad"
        >
          {said}
        </p>
      )}
    </li>
  );
}
