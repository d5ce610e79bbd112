import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Move } from '@/calls/use-job-actions';
import { type Job, type Job_Priority, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';

/** Jobs of one queue that wait, in the order in which they start. */
export interface Line {
  readonly queue: string;
  readonly jobs: readonly Job[];
}

/** The lines of all queues; the one whose head is the most urgent, or waits longest, first. */
export function linesOf(jobs: Iterable<Job>): Line[] {
  const byQueue = new Map<string, Job[]>();
  for (const job of jobs) {
    if (job.state !== Job_State.QUEUED) continue;
    const line = byQueue.get(job.queue);
    if (line === undefined) byQueue.set(job.queue, [job]);
    else line.push(job);
  }
  const lines = [...byQueue].map(([queue, waiting]) => ({ queue, jobs: waiting.sort(byStart) }));
  return lines.sort((a, b) => byHead(a, b) || a.queue.localeCompare(b.queue));
}

/** Milliseconds until it may be tried again; 0 if it may now. */
export function delayLeftMs(job: Job, nowMs: number): number {
  if (job.state !== Job_State.QUEUED || job.notBeforeTime === undefined) return 0;
  const untilMs = timestampMs(job.notBeforeTime);
  // The studio's clock may not be this one's: it never waits longer than it was told to.
  const wholeMs = job.updateTime === undefined ? 0 : untilMs - timestampMs(job.updateTime);
  return Math.max(0, Math.min(untilMs - nowMs, wholeMs));
}

/** The move that brings a job right before another of its line (null: to the end); null: none. */
export function moveBefore(line: readonly Job[], job: Job, beforeId: string | null): Move | null {
  if (beforeId === job.jobId) return null;
  const rest = line.filter((one) => one.jobId !== job.jobId);
  const found = rest.findIndex((one) => one.jobId === beforeId);
  const at = found < 0 ? rest.length : found;
  if (line.indexOf(job) === at) return null;
  const [above, below] = [rest[at - 1], rest[at]];
  const own = job.priority;
  if (below?.priority === own) return beforeOf(below, own);
  if (above?.priority === own) return afterOf(above, own);
  // Among others it is as urgent as they are: that is what its place means.
  if (below !== undefined && own < below.priority) return beforeOf(below, below.priority);
  if (above !== undefined && own > above.priority) return afterOf(above, above.priority);
  return null;
}

/** The move that lets a job start next of its line; null if it does. */
export function moveFirst(line: readonly Job[], job: Job): Move | null {
  const head = line[0];
  if (head === undefined || head === job) return null;
  const priority = Math.max(job.priority, head.priority) as Job_Priority;
  return { priority, place: { case: 'first', value: true } };
}

function beforeOf(other: Job, priority: Job_Priority): Move {
  return { priority, place: { case: 'beforeJobId', value: other.jobId } };
}

function afterOf(other: Job, priority: Job_Priority): Move {
  return { priority, place: { case: 'afterJobId', value: other.jobId } };
}

function byStart(a: Job, b: Job): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  return a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0;
}

function byHead(a: Line, b: Line): number {
  const [left, right] = [a.jobs[0], b.jobs[0]];
  return left === undefined || right === undefined ? 0 : byStart(left, right);
}
