import { useState } from 'react';
import { type ApiError, readJobError } from '@/api/errors';
import { useCreateJob } from '@/calls/use-create-job';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsView } from '@/watch/react';
import type { GenerateInit } from './build-spec';

export interface Making {
  readonly busy: boolean;
  /** Why the last wish was refused, or why the work on it failed. */
  readonly error: ApiError | null;
  /** What was accepted of the last wish, as it is now. */
  readonly jobs: readonly Job[];
  /** Asks for pieces, all or none. */
  readonly make: (specs: readonly GenerateInit[]) => Promise<void>;
}

/** Makes pieces, and follows what comes of them. */
export function useMake(): Making {
  const { busy, error: refusal, createJobs } = useCreateJob();
  const [jobIds, setJobIds] = useState<readonly string[]>([]);
  const view = useJobsView();
  const jobs = jobIds.flatMap((jobId) => view.jobs.get(jobId) ?? []);
  const failed = jobs.find((job) => job.state === Job_State.FAILED);
  const make = async (specs: readonly GenerateInit[]) => {
    if (busy) return;
    setJobIds([]);
    setJobIds(await createJobs(specs.map((value) => ({ case: 'generate', value }))));
  };
  return { busy, error: refusal ?? errorOf(failed), jobs, make };
}

/** The same object for the same error: what is said of it is cleared field by field. */
const errors = new WeakMap<object, ApiError>();

function errorOf(job: Job | undefined): ApiError | null {
  if (job?.error === undefined) return null;
  const known = errors.get(job.error) ?? readJobError(job.error);
  errors.set(job.error, known);
  return known;
}
