import { type ApiError, fieldMessage } from '@/api/errors';
import { isInstalled, lacksEnvironment, modelsOf } from '@/calls/engine-facts';
import { Environment_State } from '@/gen/musicgen/api/inference/v1/environment_pb';
import { type Engine, Engine_State } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';
import { controlClass, Field, fieldProps } from '@/ui/field';
import type { Draft } from './draft';

/** Which engine makes it. */
export function EngineField(props: {
  draft: Draft;
  engines: readonly Engine[];
  chosen: Engine | undefined;
  error: ApiError | null;
  onLook: () => void;
  onChange: (engine: string) => void;
}) {
  const { draft, engines, chosen } = props;
  const fault = fieldMessage(props.error, 'engine');
  return (
    <Field id="engine" label="Engine" error={fault} remedy={fault && props.error?.remedy}>
      <select
        {...fieldProps('engine', fault)}
        data-testid="engine"
        className={controlClass}
        value={draft.engine || (chosen?.manifest?.name ?? '')}
        onFocus={props.onLook}
        onChange={(event) => props.onChange(event.target.value)}
      >
        {chosen === undefined && <option value={draft.engine}>{draft.engine || 'Default'}</option>}
        {engines.map((engine) => (
          <option
            key={engine.manifest?.name}
            value={engine.manifest?.name}
            disabled={isOutOfReach(engine) && engine !== chosen}
          >
            {engine.manifest?.displayName || engine.manifest?.name}
            {standingWords(engine)}
          </option>
        ))}
      </select>
    </Field>
  );
}

/** Which of an engine's models; nothing for an engine that has none, or takes no choice. */
export function ModelField(props: {
  engine: string;
  models: readonly Model[];
  /** The model's name; empty: the engine decides. */
  model: string;
  error: ApiError | null;
  onChange: (model: string) => void;
}) {
  const { model } = props;
  const own = modelsOf(props.engine, props.models);
  const installed = own.filter(isInstalled);
  const chosen = own.find((one) => one.name === model);
  const fault = fieldMessage(props.error, 'model');
  return (
    <Field id="option-model" label="Model" error={fault} remedy={fault && props.error?.remedy}>
      <select
        {...fieldProps('option-model', fault)}
        data-testid="option-model"
        className={controlClass}
        value={model}
        onChange={(event) => props.onChange(event.target.value)}
      >
        <option value="">Automatic</option>
        {installed.map((one) => (
          <option key={one.name} value={one.name}>
            {one.displayName || one.name}
          </option>
        ))}
        {model !== '' && !installed.some((one) => one.name === model) && (
          <option value={model}>{chosen?.displayName || model} (not installed)</option>
        )}
      </select>
    </Field>
  );
}

/** What can't be set up from here: it may not be chosen. */
function isOutOfReach(engine: Engine): boolean {
  return engine.state === Engine_State.UNAVAILABLE && !lacksEnvironment(engine);
}

function standingWords(engine: Engine): string {
  if (lacksEnvironment(engine)) {
    return engine.environment?.state === Environment_State.BROKEN ? ' (damaged)' : ' (not set up)';
  }
  return isOutOfReach(engine) ? ' (unavailable)' : '';
}
