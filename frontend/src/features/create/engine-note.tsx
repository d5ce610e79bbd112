import { sentence } from '@/api/errors';
import { hasEnvironment, isInstalled, lacksEnvironment, modelsOf } from '@/calls/engine-facts';
import { Environment_State } from '@/gen/musicgen/api/inference/v1/environment_pb';
import { type Engine, Engine_State } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import type { JobsView } from '@/watch/fold';
import { isEnded } from '@/watch/job-state';
import { fractionOf } from '@/watch/progress-words';
import { useJobsView } from '@/watch/react';

/** What keeps the chosen engine from working, with a way to what helps. */
export function EngineNote(props: {
  engine: Engine;
  models: readonly Model[];
  onOpen: (engine: string) => void;
}) {
  const { engine } = props;
  const name = engine.manifest?.name ?? '';
  const work = workFor(useJobsView(), engine, props.models);
  const lack = lackOf(engine, props.models);
  if (lack === null) return null;
  return (
    <div
      data-testid="engine-note"
      className="-mt-2 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-md border border-edge px-3 py-2 text-sm"
    >
      <p className="min-w-48 flex-1 wrap-anywhere">
        {work === undefined ? lack.words : `${workWords(work)} ${percentOf(work)}`}
      </p>
      {lack.action !== '' && (
        <Button
          data-testid="open-engines"
          aria-haspopup="dialog"
          onClick={() => props.onOpen(name)}
        >
          {work === undefined ? lack.action : 'Show'}
        </Button>
      )}
    </div>
  );
}

function lackOf(
  engine: Engine,
  models: readonly Model[],
): { readonly words: string; readonly action: string } | null {
  const name = engine.manifest?.displayName || engine.manifest?.name || 'This engine';
  if (lacksEnvironment(engine)) {
    switch (engine.environment?.state) {
      case Environment_State.BROKEN:
        return { words: `The environment of ${name} is damaged.`, action: 'Repair it…' };
      case Environment_State.OUTDATED:
        return { words: `The environment of ${name} is outdated.`, action: 'Set it up again…' };
      default:
        return { words: `${name} has to be set up first.`, action: 'Set it up…' };
    }
  }
  if (engine.state === Engine_State.UNAVAILABLE) {
    const words = sentence(engine.detail || 'it can’t be started here');
    return { words, action: hasEnvironment(engine) ? 'Look at it…' : '' };
  }
  const own = modelsOf(engine.manifest?.name ?? '', models);
  if (own.length > 0 && !own.some(isInstalled)) {
    return { words: `No model of ${name} is installed.`, action: 'Install one…' };
  }
  return null;
}

/** What is being done about it. */
function workFor(view: JobsView, engine: Engine, models: readonly Model[]): Job | undefined {
  const name = engine.manifest?.name ?? '';
  const own = modelsOf(name, models).map((model) => model.name);
  return [...view.jobs.values()].find((job) => {
    const kind = job.spec?.kind;
    if (isEnded(job)) return false;
    if (lacksEnvironment(engine)) {
      return kind?.case === 'setupEngine' && kind.value.engine === name;
    }
    return kind?.case === 'installModel' && own.includes(kind.value.model);
  });
}

function workWords(job: Job): string {
  return job.spec?.kind.case === 'installModel'
    ? 'A model is being installed.'
    : 'It is being set up.';
}

function percentOf(job: Job): string {
  const fraction = fractionOf(job);
  return fraction === undefined ? '' : `${Math.floor(fraction * 100)}%`;
}
