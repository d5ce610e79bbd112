import { sentence } from '@/api/errors';
import { useCreateJob } from '@/calls/use-create-job';
import {
  SetupEngineSpec_Action as Action,
  type Environment,
  Environment_State,
} from '@/gen/musicgen/api/inference/v1/environment_pb';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { ConfirmButton } from '@/ui/confirm-button';
import { ErrorNote } from '@/ui/error-note';
import { environmentFacts, environmentWord } from './model-words';
import { StateBadge } from './state-badge';
import { useWork } from './use-work';
import { WorkPart } from './work-part';

/** The Python environment of an engine: how it stands, and making, repairing, removing it. */
export function EnvironmentPart(props: { engine: string; name: string; environment: Environment }) {
  const { engine, name, environment } = props;
  const work = useWork({ engine });
  const { busy, error, createJob } = useCreateJob();
  const { state } = environment;
  const absent = state === Environment_State.ABSENT;
  const facts = environmentFacts(environment);
  const ask = (action: Action) => {
    if (!busy) void createJob({ case: 'setupEngine', value: { engine, action } });
  };
  return (
    <section
      data-testid="environment"
      aria-label={`Environment of ${name}`}
      className="grid grid-cols-1 gap-2.5"
    >
      <p className="flex flex-wrap items-baseline gap-x-3 gap-y-0.5 text-sm">
        <span className="font-semibold">Environment</span>
        <StateBadge state={environmentWord(environment)} testId="environment-state" />
        {facts !== '' && <span className="figures text-muted">{facts}</span>}
      </p>
      {absent && (
        <p className="-mt-1.5 max-w-prose text-sm text-muted">
          This engine computes with PyTorch, in a Python environment of its own. Setting it up
          fetches that: about 1 GB for a processor, several GB for a graphics card.
        </p>
      )}
      {!absent && environment.detail !== '' && state !== Environment_State.READY && (
        <p className="-mt-1.5 text-sm wrap-anywhere text-muted">{sentence(environment.detail)}</p>
      )}
      {work.open === undefined && (
        <div className="flex flex-wrap items-center gap-2">
          {(absent || state === Environment_State.OUTDATED) && (
            <Button
              data-testid="setup"
              aria-label={`Set up ${name}`}
              aria-disabled={busy}
              onClick={() => ask(Action.MAKE)}
            >
              Set up
            </Button>
          )}
          {(state === Environment_State.READY || state === Environment_State.BROKEN) && (
            <Button
              data-testid="repair"
              aria-label={`Repair the environment of ${name}`}
              aria-disabled={busy}
              onClick={() => ask(Action.REPAIR)}
            >
              Repair
            </Button>
          )}
          {!absent && (
            <ConfirmButton
              testId="remove-environment"
              label="Remove"
              name={`Remove the environment of ${name}`}
              sure="Remove the environment"
              busy={busy}
              onSure={() => ask(Action.REMOVE)}
            />
          )}
        </div>
      )}
      {error !== null && <ErrorNote message={error.message} remedy={error.remedy} />}
      <WorkPart work={work} name={name} title={titleOf} />
    </section>
  );
}

function titleOf(job: Job): string {
  const kind = job.spec?.kind;
  const action = kind?.case === 'setupEngine' ? kind.value.action : Action.MAKE;
  if (action === Action.REMOVE) return 'Removing the environment of';
  return action === Action.REPAIR ? 'Repairing' : 'Setting up';
}
