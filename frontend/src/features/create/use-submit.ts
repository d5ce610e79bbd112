import { toJsonString } from '@bufbuild/protobuf';
import { useRef, useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { type Job, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsStore } from '@/watch/react';
import { buildSpec } from './build-spec';
import type { Draft } from './draft';

export interface Submission {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** The job that was accepted last. */
  readonly accepted: Job | null;
  readonly submit: (draft: Draft) => Promise<void>;
}

/** Sends a draft. The same draft sent again after a failure has the same request id. */
export function useSubmit(onAccepted?: () => void): Submission {
  const { jobs } = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [accepted, setAccepted] = useState<Job | null>(null);
  const unanswered = useRef<{ spec: string; requestId: string } | null>(null);

  const submit = async (draft: Draft) => {
    if (busy) return;
    const built = buildSpec(draft);
    if ('error' in built) {
      setError(built.error);
      return;
    }
    const said = toJsonString(JobSpecSchema, built.spec);
    if (unanswered.current?.spec !== said) {
      unanswered.current = { spec: said, requestId: newRequestId() };
    }
    setBusy(true);
    try {
      const { requestId } = unanswered.current;
      const answer = await jobs.createJob({ spec: built.spec, requestId });
      unanswered.current = null;
      store.merge(answer.job);
      setAccepted(answer.job ?? null);
      setError(null);
      onAccepted?.();
    } catch (thrown) {
      setError(readError(thrown));
    } finally {
      setBusy(false);
    }
  };
  return { busy, error, accepted, submit };
}
