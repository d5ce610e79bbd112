import { Environment_State } from '@/gen/musicgen/api/inference/v1/environment_pb';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { type Model, Model_State } from '@/gen/musicgen/api/inference/v1/model_pb';

/** Whether an engine runs in a Python environment of its own. */
export function hasEnvironment(engine: Engine | undefined): boolean {
  const state = environmentState(engine);
  return state !== Environment_State.UNSPECIFIED && state !== Environment_State.NOT_NEEDED;
}

/** Whether an engine can't work because that environment is not as it should be. */
export function lacksEnvironment(engine: Engine | undefined): boolean {
  return hasEnvironment(engine) && environmentState(engine) !== Environment_State.READY;
}

/** The models that can be chosen for an engine: parts of others can't. */
export function modelsOf(engine: string, models: readonly Model[]): Model[] {
  return models.filter((model) => model.engine === engine && model.variant !== '');
}

/** Whether all of a model's files are here. */
export function isInstalled(model: Model): boolean {
  return (
    model.state === Model_State.INSTALLED ||
    model.state === Model_State.LOADING ||
    model.state === Model_State.LOADED
  );
}

function environmentState(engine: Engine | undefined): Environment_State {
  return engine?.environment?.state ?? Environment_State.UNSPECIFIED;
}
