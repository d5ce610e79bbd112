import { toJsonString } from '@bufbuild/protobuf';
import { useRef, useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError, withoutField } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsStore } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';
import { buildSpec } from './build-spec';
import type { Draft } from './draft';

export interface Submission {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** How often a draft was refused: each time the form shows where. */
  readonly refusals: number;
  /** A field is being corrected: what was said of it goes. */
  readonly touched: (field: string) => void;
  readonly submit: (draft: Draft) => Promise<void>;
}

/** Sends a draft. The same draft sent again after a failure has the same request id. */
export function useSubmit(onAccepted?: () => void): Submission {
  const { jobs } = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useCallError();
  const [refusals, setRefusals] = useState(0);
  const unanswered = useRef<{ spec: string; requestId: string } | null>(null);

  const refuse = (reason: ApiError) => {
    setError(reason);
    setRefusals((count) => count + 1);
  };
  const submit = async (draft: Draft) => {
    if (busy) return;
    const built = buildSpec(draft);
    if ('error' in built) {
      refuse(built.error);
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
      setError(null);
      onAccepted?.();
    } catch (thrown) {
      refuse(readError(thrown));
    } finally {
      setBusy(false);
    }
  };
  const touched = (field: string) => setError((now) => withoutField(now, field));
  return { busy, error, refusals, touched, submit };
}
