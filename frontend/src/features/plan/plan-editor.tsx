import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { useEngines } from '@/calls/use-engines';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { lengthWords } from '@/ui/time';
import { BandFields } from './band-fields';
import { versionSpec } from './build-spec';
import { type Choices, readChoices } from './choices';
import { ChordFields } from './chord-fields';
import { withPlaying } from './edit';
import { type Faults, faultAt } from './faults';
import { Made } from './made';
import { barsOf, FRAMES_PER_SECOND, type Plan, secondsOf } from './plan';
import { PlanJson } from './plan-json';
import type { PlanSlots } from './plan-panel';
import { barWords } from './plan-words';
import { COMPOSER, type Recipe } from './recipe';
import { SectionForm } from './section-form';
import { SoundFields } from './sound-fields';
import { Timeline } from './timeline';
import { useMake } from './use-make';
import { usePlanDraft } from './use-plan-draft';

/** Edits the plan of a track and makes another track of it. */
export function PlanEditor(props: {
  track: Track;
  recipe: Recipe & { readonly plan: Plan };
  slots: PlanSlots;
  onDone: () => void;
}) {
  const { track, recipe } = props;
  const { engines } = useEngines();
  const choices = readChoices(engines.find(({ manifest }) => manifest?.name === COMPOSER));
  const making = useMake();
  // A title that was edited since is the one to go on from.
  const [original] = useState(() => ({ ...recipe.plan, title: track.title }));
  const draft = usePlanDraft(track, original, making.error);
  const { plan, faults, selected } = draft;
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (draft.refusals > 0) showFirstFault(form.current);
  }, [draft.refusals]);

  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    if (draft.check()) void making.make([versionSpec(track, recipe, plan)]);
  };
  return (
    <form
      ref={form}
      data-testid="plan-editor"
      aria-label={`Edit the plan of ${track.title}`}
      className="grid grid-cols-1 gap-5 [&_:is(input,select,button)]:scroll-mb-36"
      noValidate
      onSubmit={onSubmit}
    >
      <div className="grid grid-cols-1 gap-3">
        <Timeline
          plan={plan}
          selected={selected}
          onSelect={draft.select}
          faults={faults}
          onPlaying={(index, part, playing) => {
            draft.edit(withPlaying(plan, index, part, playing), `sections[${index}].parts`);
            draft.select(index);
          }}
        />
        <p className="-mt-1 text-sm text-muted">
          Choose a section to change it. Press a light to let a part rest, play, or enter halfway.
        </p>
        <SectionForm
          plan={plan}
          index={selected}
          choices={choices}
          faults={faults}
          onEdit={draft.edit}
          onSelect={draft.select}
        />
      </div>
      <Group title="Sound">
        <SoundFields
          plan={plan}
          original={original}
          choices={choices}
          faults={faults}
          onEdit={draft.edit}
          onEnergy={draft.setEnergy}
        />
      </Group>
      <Group title="Who plays">
        <BandFields
          plan={plan}
          original={original}
          choices={choices}
          faults={faults}
          onEdit={draft.edit}
        />
      </Group>
      <Group title="Chords">
        <ChordFields plan={plan} faults={faults} onEdit={draft.edit} />
      </Group>
      <PlanJson recipe={recipe} plan={plan} />
      <div className="sticky bottom-0 z-10 -mx-1 grid gap-2.5 border-t border-line bg-panel px-1 pt-3 pb-3">
        {draft.unplaced !== null && <ErrorNote {...draft.unplaced} />}
        <Length plan={plan} choices={choices} faults={faults} />
        <div className="flex flex-wrap items-center gap-x-2 gap-y-1">
          <Button
            type="submit"
            look="primary"
            data-testid="make-version"
            aria-disabled={making.busy}
          >
            {making.busy ? 'Sending…' : 'Make this version'}
          </Button>
          <Button
            data-testid="plan-reset"
            aria-disabled={!draft.changed}
            onClick={() => draft.changed && draft.reset()}
          >
            Undo all
          </Button>
          <Button look="quiet" data-testid="plan-stop" onClick={props.onDone}>
            Stop editing
          </Button>
          <Made jobs={making.jobs} onShow={props.slots.showJob} />
        </div>
      </div>
    </form>
  );
}

function Group(props: { title: string; children: ReactNode }) {
  return (
    <section className="grid grid-cols-1 gap-2.5 border-t border-line pt-4">
      <h4 className="wide font-semibold">{props.title}</h4>
      {props.children}
    </section>
  );
}

/** How long the edited piece will be; what makes it so long is the bars and the tempo. */
function Length(props: { plan: Plan; choices: Choices; faults: Faults }) {
  const { plan, faults } = props;
  const { min, max } = props.choices.lengthSeconds;
  const seconds = secondsOf(plan);
  const ring = plan.ring_frames / FRAMES_PER_SECOND;
  const known = Number.isFinite(seconds);
  const beyond = known && (seconds < min || seconds > max);
  const fault =
    faultAt(faults, 'sections') ??
    Object.entries(faults).find(([place]) => place.endsWith('.duration_seconds'))?.[1];
  return (
    <div className="text-sm">
      <p role="status" data-testid="plan-length" className="figures">
        <span className={`font-semibold ${beyond ? 'text-bad' : ''}`}>
          {known ? lengthWords(seconds) : '?'}
        </span>{' '}
        <span className="text-muted">
          {known && barWords(barsOf(plan))}
          {ring > 0.05 && `, then ${ring.toFixed(1)} s of ringing out`}
          {beyond && `. The composer makes ${lengthWords(min)} to ${lengthWords(max)}.`}
        </span>
      </p>
      {fault !== undefined && (
        <p role="alert" data-testid="field-error" className="font-medium text-bad">
          {fault}
        </p>
      )}
    </div>
  );
}

/** Leads to what is wrong, which may be far from the button. */
function showFirstFault(form: HTMLFormElement | null): void {
  const first = form?.querySelector<HTMLElement>('[aria-invalid="true"]');
  first?.focus();
  first?.scrollIntoView({ block: 'center' });
}
