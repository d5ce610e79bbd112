import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { ALL_QUEUES, type JobsView } from './fold';

/** Whether nothing will happen to it any more. */
export function isEnded(job: Job): boolean {
  return (
    job.state === Job_State.SUCCEEDED ||
    job.state === Job_State.FAILED ||
    job.state === Job_State.CANCELLED
  );
}

/** Whether a queue's jobs wait until they are let go on, by a pause of its own or of all. */
export function isPaused(view: Pick<JobsView, 'pausedQueues'>, queue: string): boolean {
  return view.pausedQueues.has(ALL_QUEUES) || view.pausedQueues.has(queue);
}

/** Every job, newest first. */
export function newestFirst(view: Pick<JobsView, 'jobs'>): readonly Job[] {
  const known = sorted.get(view.jobs);
  if (known !== undefined) return known;
  const jobs = [...view.jobs.values()].sort((a, b) => {
    const byTime = createdMs(b) - createdMs(a);
    return byTime !== 0 ? byTime : a.jobId.localeCompare(b.jobId);
  });
  sorted.set(view.jobs, jobs);
  return jobs;
}

/** Many ask for the same order of the same jobs. */
const sorted = new WeakMap<JobsView['jobs'], readonly Job[]>();

function createdMs(job: Job): number {
  const time = job.createTime;
  return time === undefined ? 0 : Number(time.seconds) * 1_000 + time.nanos / 1e6;
}
