import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { useState } from 'react';
import { useClients } from '@/api/clients';
import type { ApiError } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsStore } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';
import { createJobs, readRefusal } from './create-jobs';

type Kind = NonNullable<MessageInitShape<typeof JobSpecSchema>['kind']>;

export interface CreateJobCall {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** The accepted job's id; undefined if it was refused (then error says why). */
  readonly createJob: (kind: Kind) => Promise<string | undefined>;
  /** The accepted jobs' ids, of one batch if they are several; none if they were refused. */
  readonly createJobs: (kinds: readonly Kind[]) => Promise<readonly string[]>;
}

/** Asks for work on a track. */
export function useCreateJob(): CreateJobCall {
  const clients = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useCallError();
  const accept = async (kinds: readonly Kind[]): Promise<readonly string[]> => {
    setBusy(true);
    setError(null);
    try {
      const specs = kinds.map((kind) => create(JobSpecSchema, { kind }));
      return await createJobs(clients, store, specs, newRequestId());
    } catch (thrown) {
      setError(readRefusal(thrown));
      return [];
    } finally {
      setBusy(false);
    }
  };
  return {
    busy,
    error,
    createJob: async (kind) => (await accept([kind]))[0],
    createJobs: accept,
  };
}
