import { useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { useModels } from '@/calls/use-models';
import { useCallError } from '@/watch/use-call-error';

export interface ModelCalls {
  readonly busy: boolean;
  readonly error: ApiError | null;
  readonly load: () => void;
  readonly unload: () => void;
  readonly remove: () => void;
}

/** What is done with a model at once, without a job; the list tells what came of it. */
export function useModelCalls(model: string): ModelCalls {
  const { models } = useClients();
  const { reload } = useModels();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useCallError();
  const call = async (ask: (request: { model: string }) => Promise<unknown>) => {
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      await ask({ model });
    } catch (thrown) {
      setError(readError(thrown));
    } finally {
      setBusy(false);
      reload();
    }
  };
  return {
    busy,
    error,
    load: () => void call((request) => models.loadModel(request)),
    unload: () => void call((request) => models.unloadModel(request)),
    remove: () => void call((request) => models.removeModel(request)),
  };
}
