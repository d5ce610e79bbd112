import { useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { useJobsStore } from '@/watch/react';

export interface JobActions {
  readonly busy: boolean;
  readonly error: ApiError | null;
  readonly cancel: () => void;
  readonly retry: () => void;
  readonly clear: () => void;
}

/** What can be asked of one job. The watch shows what comes of it. */
export function useJobActions(jobId: string): JobActions {
  const { jobs } = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const ask = async (call: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    try {
      await call();
    } catch (thrown) {
      setError(readError(thrown));
    } finally {
      setBusy(false);
    }
  };
  return {
    busy,
    error,
    cancel: () => void ask(async () => store.merge((await jobs.cancelJob({ jobId })).job)),
    retry: () =>
      void ask(async () => {
        store.merge((await jobs.retryJob({ jobId, requestId: newRequestId() })).job);
      }),
    clear: () =>
      void ask(async () => {
        await jobs.deleteJob({ jobId });
      }),
  };
}
