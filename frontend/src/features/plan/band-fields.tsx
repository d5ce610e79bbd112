import { useId } from 'react';
import { Button } from '@/ui/button';
import { controlClass, fieldProps } from '@/ui/field';
import { bestOf, type Choices, instrumentsFor, withPresent } from './choices';
import { PATTERN_OF, withInstrument, withoutPart, withPartOf } from './edit';
import { type Faults, faultAt } from './faults';
import { PARTS, type Part, type Plan, partsOf } from './plan';
import { partName, plain } from './plan-words';

/** What suits an added part at first, where the piece didn't have it before. */
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
  const missing = PARTS.flatMap((part) => {
    const added = parts.includes(part)
      ? null
      : withAdded(plan, part, props.original, props.choices);
    return added === null ? [] : [[part, added] as const];
  });
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
          {missing.map(([part, added]) => (
            <Button
              key={part}
              data-testid={`add-${part}`}
              className="py-1!"
              aria-label={`Add ${partName(part).toLowerCase()}`}
              onClick={() => onEdit(added, `parts.${part}`)}
            >
              + {partName(part)}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}

/**
 * The plan with a part more: as the original has it, else as suits it best. null if the
 * studio says nothing of what could play it.
 */
function withAdded(plan: Plan, part: Part, original: Plan, choices: Choices): Plan | null {
  const back = withPartOf(plan, part, original);
  if (back !== null) return back;
  const instrument = original.parts[part] ?? bestOf(choices.instruments[part], FIRST[part]);
  if (instrument === undefined) return null;
  const pattern = PATTERN_OF[part];
  if (pattern === undefined || pattern.style in plan.styles) {
    return withInstrument(plan, part, instrument);
  }
  const best = bestOf(choices.patterns[pattern.style] ?? [], pattern.usual);
  return best === undefined ? null : withInstrument(plan, part, instrument, best);
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
            {withPresent(props.choices.patterns[style] ?? [], plan.styles[style]).map((pattern) => (
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
