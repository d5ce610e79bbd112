import { hasEnvironment } from '@/calls/engine-facts';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';

/** An engine with the models that it can use. */
export interface EngineGroup {
  /** The engine's own name. */
  readonly name: string;
  /** Absent where models are for an engine that this studio doesn't have. */
  readonly engine: Engine | undefined;
  /** Those that are installed by themselves. */
  readonly models: readonly Model[];
  /** Those that are only needed by others. */
  readonly parts: readonly Model[];
}

/** All engines that have something to set up or to install. */
export function groupEngines(engines: readonly Engine[], models: readonly Model[]): EngineGroup[] {
  const needed = new Set(models.flatMap((model) => model.needs));
  // What nothing needs would have no way onto the disk as a part.
  const isPart = (model: Model) => model.variant === '' && needed.has(model.name);
  const listed = engines.map((engine) => engine.manifest?.name ?? '');
  const others = [...new Set(models.map((model) => model.engine))].filter(
    (name) => !listed.includes(name),
  );
  return [...listed, ...others]
    .map((name) => {
      const own = models.filter((model) => model.engine === name);
      return {
        name,
        engine: engines.find((engine) => engine.manifest?.name === name),
        models: own.filter((model) => !isPart(model)),
        parts: own.filter(isPart),
      };
    })
    .filter(
      ({ engine, models, parts }) => hasEnvironment(engine) || models.length + parts.length > 0,
    );
}
