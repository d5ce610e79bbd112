import { toJsonString } from '@bufbuild/protobuf';
import { useEffect, useEffectEvent, useRef, useState, useSyncExternalStore } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, withoutField } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { createJobs, readRefusal } from '@/calls/create-jobs';
import { JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsStore } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';
import { buildSpecs } from './build-spec';
import type { Draft } from './draft';
import { STYLE, styleFault, withStyleNamed } from './style-error';

export interface Submission {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** How often a draft was refused: each time the form shows where. */
  readonly refusals: number;
  /** A field is being corrected: what was said of it goes. */
  readonly touched: (field: string) => void;
  readonly submit: (draft: Draft, versions: number) => Promise<void>;
  /** It can't be sent as it is. */
  readonly refuse: (reason: ApiError) => void;
}

/**
 * Sends a draft; several versions of it as one batch. The same draft sent again after a failure
 * has the same request id: what was accepted before the failure is not made twice.
 */
export function useSubmit(onAccepted?: () => void): Submission {
  const clients = useClients();
  const store = useJobsStore();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useCallError();
  const [refusals, setRefusals] = useState(0);
  const unanswered = useRef<{ said: string; requestId: string } | null>(null);
  const [accepted, setAccepted] = useState<readonly string[]>([]);
  useUnfitStyle(accepted, (fault) => {
    setAccepted([]);
    setError(fault);
  });

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
      unanswered.current = { said, requestId: newRequestId() };
    }
    setBusy(true);
    try {
      const { requestId } = unanswered.current;
      const jobIds = await createJobs(clients, store, built.specs, requestId);
      unanswered.current = null;
      setAccepted(jobIds);
      setError(null);
      onAccepted?.();
    } catch (thrown) {
      refuse(withStyleNamed(readRefusal(thrown), draft));
    } finally {
      setBusy(false);
    }
  };
  const touched = (field: string) => {
    if (field === STYLE) setAccepted([]); // what is found of the old one is of no use
    setError((now) => withoutField(now, field));
  };
  return { busy, error, refusals, touched, submit, refuse };
}

/** Tells of the first of these jobs that fails because of its style. */
function useUnfitStyle(jobIds: readonly string[], onFault: (fault: ApiError) => void): void {
  const store = useJobsStore();
  const tell = useEffectEvent(onFault);
  const failed = useSyncExternalStore(
    (listener) => store.subscribe(listener),
    () => jobIds.find((jobId) => styleFault(store.view.jobs.get(jobId)) !== null),
  );
  useEffect(() => {
    const fault = failed === undefined ? null : styleFault(store.view.jobs.get(failed));
    if (fault !== null) tell(fault);
  }, [store, failed]);
}
