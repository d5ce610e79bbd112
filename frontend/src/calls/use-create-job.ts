import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { type Job, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsStore } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';

export interface CreateJobCall {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** The accepted job; undefined if it was refused (then error says why). */
  readonly createJob: (
    kind: NonNullable<MessageInitShape<typeof JobSpecSchema>['kind']>,
  ) => Promise<Job | undefined>;
}

/** Asks for work on a track. */
export function useCreateJob(): CreateJobCall {
  const { jobs } = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useCallError();
  return {
    busy,
    error,
    createJob: async (kind) => {
      setBusy(true);
      setError(null);
      try {
        const spec = create(JobSpecSchema, { kind });
        const { job } = await jobs.createJob({ spec, requestId: newRequestId() });
        store.merge(job);
        return job;
      } catch (thrown) {
        setError(readError(thrown));
        return undefined;
      } finally {
        setBusy(false);
      }
    },
  };
}
