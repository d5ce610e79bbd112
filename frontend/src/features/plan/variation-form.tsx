import { type FormEvent, useState } from 'react';
import { useEngines } from '@/calls/use-engines';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { CountChoice } from '@/ui/count-choice';
import { ErrorNote } from '@/ui/error-note';
import { variationSpec } from './build-spec';
import { readChoices } from './choices';
import { Made } from './made';
import type { Plan } from './plan';
import { COMPOSER, type Recipe } from './recipe';
import { useMake } from './use-make';
import {
  type ChangeableLayer,
  changeableLayers,
  freshSeeds,
  type Preset,
  presetsFor,
  variationTitle,
} from './variation';

/** Makes the same piece anew in some of its layers. */
export function VariationForm(props: {
  track: Track;
  recipe: Recipe & { readonly plan: Plan };
  showJob: (jobId: string) => void;
  onDone: () => void;
}) {
  const { track, recipe } = props;
  const { engines, error: listing, reload } = useEngines();
  const choices = readChoices(engines.find(({ manifest }) => manifest?.name === COMPOSER));
  const layers = changeableLayers(choices, recipe.plan);
  const presets = presetsFor(layers);
  const making = useMake();
  const [chosen, setChosen] = useState<readonly string[]>(['lead']);
  const [count, setCount] = useState(1);
  const wanted = layers.map(({ name }) => name).filter((name) => chosen.includes(name));

  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (wanted.length === 0) return;
    const specs = Array.from({ length: count }, (_, index) =>
      variationSpec(
        track,
        recipe,
        variationTitle(track.title, layers, wanted, count, index + 1),
        freshSeeds(wanted),
      ),
    );
    void making.make(specs);
  };
  const toggle = (name: string) =>
    setChosen(wanted.includes(name) ? wanted.filter((one) => one !== name) : [...wanted, name]);
  return (
    <form
      data-testid="variation-form"
      aria-label={`Variation of ${track.title}`}
      className="grid grid-cols-1 gap-4 border-t border-line pt-4"
      noValidate
      onSubmit={onSubmit}
      onKeyDown={(event) => event.key === 'Escape' && props.onDone()}
    >
      <Presets presets={presets} wanted={wanted} onChoose={setChosen} />
      <LayerSwitches layers={layers} wanted={wanted} onToggle={toggle} />
      {listing !== null && layers.length === 0 && (
        <ErrorNote message={listing.message} remedy={listing.remedy}>
          <Button onClick={reload}>Try again</Button>
        </ErrorNote>
      )}
      {choices.version !== '' && choices.version !== recipe.engineVersion && (
        <p className="text-sm text-muted">
          The track was made by composer {recipe.engineVersion || 'of an older version'}; this one
          is {choices.version}. What should stay may sound a little different.
        </p>
      )}
      <CountChoice label="How many" testId="count" count={count} onChange={setCount} />
      {making.error !== null && (
        <ErrorNote message={making.error.message} remedy={remedyOf(making.error)} />
      )}
      <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
        <Button
          type="submit"
          look="primary"
          data-testid="make-variation"
          aria-disabled={making.busy || wanted.length === 0}
        >
          {making.busy && 'Sending…'}
          {!making.busy && (count === 1 ? 'Make a variation' : `Make ${count} variations`)}
        </Button>
        <Button look="quiet" onClick={props.onDone}>
          Close
        </Button>
        <Made jobs={making.jobs} onShow={props.showJob} />
      </div>
    </form>
  );
}

function remedyOf(error: { remedy: string; fields: Readonly<Record<string, string>> }): string {
  const faults = Object.entries(error.fields).map(([path, fault]) => `${path}: ${fault}`);
  return faults.length > 0 ? faults.join(' ') : error.remedy;
}

/** Wishes with one press. */
function Presets(props: {
  presets: readonly Preset[];
  wanted: readonly string[];
  onChoose: (layers: readonly string[]) => void;
}) {
  const key = (names: readonly string[]) => [...names].sort().join();
  return (
    <fieldset className="min-w-0">
      <legend className="plate mb-2">What should be new?</legend>
      <div className="grid grid-cols-1 gap-2 min-[26rem]:grid-cols-2 xl:grid-cols-4">
        {props.presets.map((preset) => {
          const on = key(preset.layers) === key(props.wanted);
          return (
            <button
              key={preset.name}
              type="button"
              data-testid={`preset-${preset.name}`}
              aria-pressed={on}
              className={`flex flex-col rounded-lg border px-3 py-2 text-left ${on ? 'border-accent bg-well shadow-[inset_0_0_0_1px_var(--accent)]' : 'border-line bg-well hover:border-edge'}`}
              onClick={() => props.onChoose(preset.layers)}
            >
              <span className="text-sm font-semibold">{preset.label}</span>
              <span className="text-xs text-muted">{preset.hint}</span>
            </button>
          );
        })}
      </div>
    </fieldset>
  );
}

/** Each layer by itself. */
function LayerSwitches(props: {
  layers: readonly ChangeableLayer[];
  wanted: readonly string[];
  onToggle: (name: string) => void;
}) {
  return (
    <details>
      <summary className="plate w-fit py-1 text-muted hover:text-ink">
        Choose layer by layer
      </summary>
      <ul className="grid grid-cols-1 gap-x-4 gap-y-1.5 pt-2 sm:grid-cols-2">
        {props.layers.map((layer) => (
          <li key={layer.name}>
            <label className="flex cursor-pointer items-start gap-2 text-sm">
              <input
                type="checkbox"
                data-testid={`layer-${layer.name}`}
                className="mt-1 accent-accent"
                checked={props.wanted.includes(layer.name)}
                onChange={() => props.onToggle(layer.name)}
              />
              <span>
                <span className="font-medium">{layer.label}</span>{' '}
                <span className="text-muted">{layer.hint}</span>
              </span>
            </label>
          </li>
        ))}
      </ul>
    </details>
  );
}
