import { toJsonString } from '@bufbuild/protobuf';
import { useRef, useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError, withoutField } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsStore } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';
import { buildSpecs } from './build-spec';
import type { Draft } from './draft';

export interface Submission {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** How often a draft was refused: each time the form shows where. */
  readonly refusals: number;
  /** A field is being corrected: what was said of it goes. */
  readonly touched: (field: string) => void;
  readonly submit: (draft: Draft, versions: number) => Promise<void>;
}

/**
 * Sends a draft, once for each version. The same draft sent again after a failure has the same
 * request ids: what was accepted before the failure is not made twice.
 */
export function useSubmit(onAccepted?: () => void): Submission {
  const { jobs } = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useCallError();
  const [refusals, setRefusals] = useState(0);
  const unanswered = useRef<{ said: string; requestIds: readonly string[] } | null>(null);

  const refuse = (reason: ApiError) => {
    setError(reason);
    setRefusals((count) => count + 1);
  };
  const submit = async (draft: Draft, versions: number) => {
    if (busy) return;
    const built = buildSpecs(draft, versions);
    if ('error' in built) {
      refuse(built.error);
      return;
    }
    const said = built.specs.map((spec) => toJsonString(JobSpecSchema, spec)).join('\n');
    if (unanswered.current?.said !== said) {
      unanswered.current = { said, requestIds: built.specs.map(() => newRequestId()) };
    }
    setBusy(true);
    try {
      const { requestIds } = unanswered.current;
      for (const [index, spec] of built.specs.entries()) {
        const answer = await jobs.createJob({ spec, requestId: requestIds[index] ?? '' });
        store.merge(answer.job);
      }
      unanswered.current = null;
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
