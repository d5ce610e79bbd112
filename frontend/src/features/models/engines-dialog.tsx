import { useEffect } from 'react';
import { useEngines } from '@/calls/use-engines';
import { useModels } from '@/calls/use-models';
import { Model_State } from '@/gen/musicgen/api/inference/v1/model_pb';
import { Button } from '@/ui/button';
import { Dialog } from '@/ui/dialog';
import { ErrorNote } from '@/ui/error-note';
import { DeviceChoice } from './device-choice';
import { EngineCard } from './engine-card';
import { groupEngines } from './groups';

const LOADING_POLL_MS = 1_000;

/** Engines and models: what this studio can make music with, and what that needs. */
export function EnginesDialog(props: {
  /** The engine that it was opened for. */
  engine?: string | undefined;
  onClose: () => void;
}) {
  return (
    <Dialog title="Engines and models" testId="engines-dialog" onClose={props.onClose}>
      <Content engine={props.engine} />
    </Dialog>
  );
}

function Content(props: { engine: string | undefined }) {
  const { engines, loaded, error, reload } = useEngines();
  const models = useModels();
  useFresh(reload, models.reload);
  useLoading();
  const failure = error ?? models.error;
  const groups = groupEngines(engines, models.models);
  return (
    <div className="grid grid-cols-1 gap-5">
      <p className="max-w-prose text-sm text-muted">
        The composer needs none of this. Neural engines are set up here when you want them, each
        with what it computes with and its models; all of it stays on this machine.
      </p>
      <DeviceChoice />
      {failure !== null && (
        <ErrorNote message={failure.message} remedy={failure.remedy}>
          <Button
            onClick={() => {
              reload();
              models.reload();
            }}
          >
            Try again
          </Button>
        </ErrorNote>
      )}
      {groups.map((group) => (
        <EngineCard
          key={group.name}
          group={group}
          models={models.models}
          wanted={group.name === props.engine}
        />
      ))}
      {loaded && models.loaded && groups.length === 0 && (
        <p className="text-sm text-muted">Every engine of this studio is ready as it is.</p>
      )}
      {!(loaded && models.loaded) && failure === null && (
        <p className="text-sm text-muted">Asking the studio…</p>
      )}
    </div>
  );
}

/** What was known before may be old: the command line changes things, too. */
function useFresh(...reloads: readonly (() => void)[]): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when it opens
  useEffect(() => {
    for (const reload of reloads) reload();
  }, []);
}

/**
 * Asks again while a model is being loaded. The contract has no stream for that: LoadModel
 * returns at once, and only ListModels tells when the model is there, or why it could not be.
 */
function useLoading(): void {
  const { models, reload } = useModels();
  const loading = models.some((model) => model.state === Model_State.LOADING);
  // biome-ignore lint/correctness/useExhaustiveDependencies: reload does the same each time
  useEffect(() => {
    if (!loading) return;
    const timer = setInterval(reload, LOADING_POLL_MS);
    return () => clearInterval(timer);
  }, [loading]);
}
