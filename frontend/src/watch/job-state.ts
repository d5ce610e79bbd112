import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { JobsView } from './fold';

/** Whether nothing will happen to it any more. */
export function isEnded(job: Job): boolean {
  return (
    job.state === Job_State.SUCCEEDED ||
    job.state === Job_State.FAILED ||
    job.state === Job_State.CANCELLED
  );
}

/** Every job, newest first. */
export function newestFirst(view: JobsView): Job[] {
  return [...view.jobs.values()].sort((a, b) => {
    const byTime = createdMs(b) - createdMs(a);
    return byTime !== 0 ? byTime : a.jobId.localeCompare(b.jobId);
  });
}

function createdMs(job: Job): number {
  const time = job.createTime;
  return time === undefined ? 0 : Number(time.seconds) * 1_000 + time.nanos / 1e6;
}
