import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { isEnded } from '@/watch/job-state';

/** Jobs that were accepted together, as far as they are still known. */
export interface Batch {
  readonly batchId: string;
  /** At work first, then what waits in the order in which it starts, then what ended, newest first. */
  readonly jobs: readonly Job[];
  readonly counts: Counts;
  /** The first of them, as they were asked for. */
  readonly first: Job;
}

export interface Counts {
  readonly working: number;
  readonly waiting: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

export function countsOf(jobs: readonly Job[]): Counts {
  const counts = { working: 0, waiting: 0, succeeded: 0, failed: 0, cancelled: 0 };
  for (const job of jobs) {
    if (job.state === Job_State.QUEUED) counts.waiting += 1;
    else if (!isEnded(job)) counts.working += 1;
    else if (job.state === Job_State.SUCCEEDED) counts.succeeded += 1;
    else if (job.state === Job_State.FAILED) counts.failed += 1;
    else counts.cancelled += 1;
  }
  return counts;
}

/** How many will still change. */
export function openCount(counts: Counts): number {
  return counts.working + counts.waiting;
}

/** "2 of 8 done, 1 working, 4 waiting, 1 failed". */
export function countWords(counts: Counts): string {
  const all = openCount(counts) + counts.succeeded + counts.failed + counts.cancelled;
  const others: [number, string][] = [
    [counts.working, 'working'],
    [counts.waiting, 'waiting'],
    [counts.failed, 'failed'],
    [counts.cancelled, 'cancelled'],
  ];
  const said = others.filter(([count]) => count > 0).map(([count, word]) => `${count} ${word}`);
  return [`${counts.succeeded} of ${all} done`, ...said].join(', ');
}
