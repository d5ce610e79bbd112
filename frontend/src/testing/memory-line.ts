import { timestampMs } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { type Job, Job_Priority, Job_State, type JobSpec } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { MoveJobRequest } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { invalidField, studioError } from './memory-errors';

/** How far apart the ranks of neighbours are at first. */
export const SPACING = 65_536n;

/** The queue that a job of this kind waits in. */
export function queueOf(spec: JobSpec | undefined): string {
  const kind = spec?.kind;
  if (kind?.case === 'generate') return `generate.${kind.value.engine || 'composer'}`;
  return (kind?.case ?? '').replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** What waits in a queue, in the order in which it starts. */
export function lineOf(jobs: Iterable<Job>, queue: string): Job[] {
  return [...jobs]
    .filter((job) => job.state === Job_State.QUEUED && job.queue === queue)
    .sort((a, b) => b.priority - a.priority || Number(a.rank - b.rank));
}

export function isDelayed(job: Job, nowMs = Date.now()): boolean {
  return job.notBeforeTime !== undefined && timestampMs(job.notBeforeTime) > nowMs;
}

/**
 * The changed jobs of a move, the moved one last; `newRank` is one behind everything. Where
 * there is no room between two, those behind move on.
 */
export function moved(
  jobs: ReadonlyMap<string, Job>,
  request: MoveJobRequest,
  newRank: () => bigint,
): Job[] {
  const job = jobs.get(request.jobId);
  if (job === undefined) throw studioError(Code.NotFound, 'JOB_NOT_FOUND', 'No such job.');
  if (job.state !== Job_State.QUEUED) {
    throw studioError(Code.FailedPrecondition, 'JOB_NOT_WAITING', 'The job does not wait.');
  }
  const priority = request.priority || job.priority;
  const peers = lineOf(jobs.values(), job.queue).filter(
    (other) => other.priority === priority && other.jobId !== job.jobId,
  );
  const { place } = request;
  if (place.case === undefined && priority === job.priority) return [job];
  if (place.case === undefined || place.case === 'last') {
    return [{ ...job, priority, rank: newRank() }];
  }
  if (place.case === 'first') {
    return [{ ...job, priority, rank: (peers[0]?.rank ?? newRank()) - SPACING }];
  }
  const found = peers.findIndex(({ jobId }) => jobId === place.value);
  const field = place.case === 'beforeJobId' ? 'before_job_id' : 'after_job_id';
  if (found < 0) throw invalidField(field, 'must be a job that waits in the same line');
  const at = place.case === 'beforeJobId' ? found : found + 1;
  const left = peers[at - 1]?.rank ?? (peers[at]?.rank ?? 0n) - 2n * SPACING;
  const movers = peers.slice(at);
  const room = (movers[0]?.rank ?? left + 2n * SPACING) - left;
  if (room >= 2n) return [{ ...job, priority, rank: left + room / 2n }];
  const pushed = movers.map((other, index) => ({
    ...other,
    rank: left + BigInt(index + 2) * SPACING,
  }));
  return [...pushed, { ...job, priority, rank: left + SPACING }];
}

/** Priorities as requests have them: unspecified means normal. */
export function asked(priority: Job_Priority): Job_Priority {
  return priority || Job_Priority.NORMAL;
}
