import { useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { useJobsStore } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';

export interface JobActions {
  readonly busy: boolean;
  /** Whether anything was asked of the job on this page. */
  readonly asked: boolean;
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
  const [asked, setAsked] = useState(false);
  const [error, setError] = useCallError();
  const ask = async (call: () => Promise<void>) => {
    if (busy) return;
    setBusy(true);
    setAsked(true);
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
    asked,
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
