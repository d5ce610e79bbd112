import type { Clients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import type { JobSpec } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { JobsStore } from '@/watch/jobs-store';

/** Asks for work: one job, or several as one batch, all or none. Returns their ids in order. */
export async function createJobs(
  { jobs }: Pick<Clients, 'jobs'>,
  store: JobsStore,
  specs: readonly JobSpec[],
  requestId: string,
): Promise<readonly string[]> {
  const [spec, ...others] = specs;
  if (spec === undefined) return [];
  if (others.length > 0) {
    const requests = specs.map((one) => ({ spec: one }));
    return (await jobs.batchCreateJobs({ requests, requestId })).jobIds;
  }
  const { job } = await jobs.createJob({ spec, requestId });
  store.merge(job);
  return job === undefined ? [] : [job.jobId];
}

/** "requests[2]." before a path, "requests[2]: " before a message. */
const PLACE = /^requests\[\d+\](?:\.|: )/;
const COUNT = /^\d+ requests are faulty\. /;

/**
 * Reads why they were refused. The pieces that people ask for together are alike: which of
 * them was the first to be found at fault says nothing.
 */
export function readRefusal(thrown: unknown): ApiError {
  const error = readError(thrown);
  const fields: Record<string, string> = {};
  for (const [path, fault] of Object.entries(error.fields)) {
    fields[path.replace(PLACE, '')] ??= fault;
  }
  return { ...error, message: error.message.replace(COUNT, '').replace(PLACE, ''), fields };
}
