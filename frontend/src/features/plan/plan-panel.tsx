import { type ReactNode, useState } from 'react';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { takeLostFocus } from '@/ui/focus';
import { usePlanDrafts } from './drafts-context';
import { NO_FAULTS } from './faults';
import { PlanEditor } from './plan-editor';
import { PlanFacts, Understood } from './plan-facts';
import { PlanJson } from './plan-json';
import type { Recipe } from './recipe';
import { SectionDetails } from './section-details';
import { Timeline } from './timeline';

/** What other features put into a plan; the app passes them in. */
export interface PlanSlots {
  /** Shows where the track plays, over a picture of so many seconds. */
  readonly needle: (track: Track, seconds: number) => ReactNode;
  readonly playFrom: (track: Track, seconds: number) => void;
  /** Brings a job that was asked for into sight. */
  readonly showJob: (jobId: string) => void;
}

/** How a track came about: what was understood, and the plan, which can be edited. */
export function PlanPanel(props: {
  track: Track;
  recipe: Recipe;
  slots: PlanSlots;
  onDone: () => void;
}) {
  const { track, recipe, slots } = props;
  const { plan } = recipe;
  const drafts = usePlanDrafts();
  const [editing, setEditing] = useState<boolean | null>(null);
  const [selected, setSelected] = useState(0);
  return (
    <section
      data-testid="plan-panel"
      aria-label={`Plan of ${track.title}`}
      className="grid grid-cols-1 gap-4 border-t border-line pt-4"
    >
      <Understood recipe={recipe} />
      {plan !== null && editing === true && (
        <PlanEditor
          track={track}
          recipe={{ ...recipe, plan }}
          slots={slots}
          onDone={() => setEditing(false)}
        />
      )}
      {plan !== null && editing !== true && (
        <>
          <Timeline
            plan={plan}
            selected={Math.min(selected, plan.sections.length - 1)}
            onSelect={setSelected}
            faults={NO_FAULTS}
            needle={(seconds) => slots.needle(track, seconds)}
          />
          <SectionDetails
            plan={plan}
            index={Math.min(selected, plan.sections.length - 1)}
            onPlayFrom={(seconds) => slots.playFrom(track, seconds)}
          />
          <PlanFacts plan={plan} />
          <div className="flex flex-wrap items-center gap-2">
            <Button
              ref={editing === false ? takeLostFocus : undefined}
              data-testid="edit-plan"
              onClick={() => setEditing(true)}
            >
              {drafts.has(track.trackId) ? 'Go on editing' : 'Edit the plan'}
            </Button>
            <Button look="quiet" onClick={props.onDone}>
              Close
            </Button>
          </div>
          <PlanJson recipe={recipe} plan={plan} />
        </>
      )}
    </section>
  );
}
