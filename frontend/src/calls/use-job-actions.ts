import type { MessageInitShape } from '@bufbuild/protobuf';
import { useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { MoveJobRequestSchema } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { useJobsStore } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';

/** Where a waiting job goes, and how urgent it is from then on. */
export type Move = Pick<
  Exclude<MessageInitShape<typeof MoveJobRequestSchema>, { $typeName: string }>,
  'priority' | 'place'
>;

export interface JobActions {
  readonly busy: boolean;
  /** Whether anything was asked of the job on this page. */
  readonly asked: boolean;
  readonly error: ApiError | null;
  readonly cancel: () => void;
  readonly retry: () => void;
  readonly clear: () => void;
  /** The job as it was moved; undefined if it could not be (then error says why, or it runs). */
  readonly move: (move: Move) => Promise<Job | undefined>;
}

/** Reasons that only say that the job was faster. */
const OVERTAKEN = ['JOB_NOT_WAITING', 'JOB_ALREADY_TERMINAL'];

/** What can be asked of one job. The watch shows what comes of it. */
export function useJobActions(jobId: string): JobActions {
  const { jobs } = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState(false);
  const [error, setError] = useCallError();
  const ask = async <T>(call: () => Promise<T>): Promise<T | undefined> => {
    if (busy) return undefined;
    setBusy(true);
    setAsked(true);
    setError(null);
    try {
      return await call();
    } catch (thrown) {
      const refusal = readError(thrown);
      // It was taken, or ended, meanwhile: the card shows that.
      if (!OVERTAKEN.includes(refusal.reason)) setError(refusal);
      return undefined;
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
    move: (move) =>
      ask(async () => {
        const { job } = await jobs.moveJob({ jobId, ...move });
        store.merge(job);
        return job;
      }),
  };
}
