import { controlClass } from '@/ui/field';
import { withDegree } from './edit';
import { type Faults, faultAt } from './faults';
import { chordName } from './music';
import { chordsOf, type Plan } from './plan';
import { LOOP_NAMES, loopsPlayed } from './plan-words';

const DEGREES = [1, 2, 3, 4, 5, 6, 7];

/** Edits the chords: for each place in a loop, the step of the scale that it stands on. */
export function ChordFields(props: {
  plan: Plan;
  faults: Faults;
  onEdit: (plan: Plan, path: string) => void;
}) {
  const { plan, faults, onEdit } = props;
  return (
    <div className="grid grid-cols-1 gap-2.5">
      {loopsPlayed(plan).map((loop) => {
        const { degrees, raised, tones } = plan.progressions[loop];
        const names = chordsOf(plan, loop);
        const place = `progressions.${loop}`;
        const error = faultAt(faults, place, true);
        return (
          <fieldset key={loop} className="grid min-w-0 gap-1">
            <legend className="plate mb-1">{LOOP_NAMES[loop]}</legend>
            <div className="grid grid-cols-2 gap-1.5 sm:grid-cols-4">
              {degrees.map((degree, index) => {
                const path = `${place}.degrees[${index}]`;
                return (
                  <select
                    // biome-ignore lint/suspicious/noArrayIndexKey: a chord is known by its place
                    key={index}
                    aria-label={`Chord ${index + 1} of the ${LOOP_NAMES[loop].toLowerCase()}`}
                    aria-invalid={faultAt(faults, path) !== undefined}
                    data-testid={`chord-${loop}-${index}`}
                    className={`${controlClass} figures px-2!`}
                    value={degree}
                    onChange={(event) =>
                      onEdit(withDegree(plan, loop, index, Number(event.target.value)), path)
                    }
                  >
                    {DEGREES.map((choice) => {
                      const name =
                        choice === degree ? names[index] : chordName(choice, plan, tones, false);
                      return (
                        <option key={choice} value={choice}>
                          {choice} · {name}
                          {choice === degree && raised[index] ? ' (raised)' : ''}
                        </option>
                      );
                    })}
                  </select>
                );
              })}
            </div>
            {error !== undefined && (
              <p role="alert" data-testid="field-error" className="text-sm font-medium text-bad">
                {error}
              </p>
            )}
          </fieldset>
        );
      })}
    </div>
  );
}
