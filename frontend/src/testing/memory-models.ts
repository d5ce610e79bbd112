import { Code, type ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { type Model, Model_State } from '@/gen/musicgen/api/inference/v1/model_pb';
import type { ModelService } from '@/gen/musicgen/api/inference/v1/model_service_pb';
import { studioError } from './memory-errors';

/** Models in memory; who holds it says how they stand. */
export class MemoryModels {
  models: Model[] = [];
  lists = 0;
  /** Calls that came, such as "loadModel diffrhythm-1.2-base". */
  readonly calls: string[] = [];
  /** Thrown by the next call of this method. */
  readonly failNext = new Map<string, ConnectError>();

  /** Something happened to a model. */
  set(name: string, part: Partial<Model>): Model {
    const changed = { ...this.model(name), ...part };
    this.models = this.models.map((model) => (model.name === name ? changed : model));
    return changed;
  }

  /** A model is on the disk now, with all that it needs. */
  install(name: string): Model {
    for (const need of this.model(name).needs) this.install(need);
    return this.set(name, {
      state: Model_State.INSTALLED,
      installedBytes: this.model(name).sizeBytes,
      licenceAccepted: true,
      detail: '',
    });
  }

  model(name: string): Model {
    const found = this.models.find((model) => model.name === name);
    if (found === undefined) throw studioError(Code.NotFound, 'MODEL_NOT_FOUND', 'No such model.');
    return found;
  }

  #enter(method: string): void {
    const refused = this.failNext.get(method);
    this.failNext.delete(method);
    if (refused !== undefined) throw refused;
  }

  service(): Partial<ServiceImpl<typeof ModelService>> {
    const answer = (method: string, model: string, part: Partial<Model>) => {
      this.calls.push(`${method} ${model}`);
      this.#enter(method);
      return { model: this.set(model, part) };
    };
    return {
      listModels: ({ engine }) => {
        this.lists += 1;
        this.#enter('listModels');
        return { models: this.models.filter((model) => engine === '' || model.engine === engine) };
      },
      loadModel: ({ model }) => answer('loadModel', model, { state: Model_State.LOADING }),
      unloadModel: ({ model }) => answer('unloadModel', model, { state: Model_State.INSTALLED }),
      removeModel: ({ model }) =>
        answer('removeModel', model, { state: Model_State.NOT_INSTALLED, installedBytes: 0n }),
    };
  }
}
