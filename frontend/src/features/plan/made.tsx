import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { isEnded } from '@/watch/job-state';

/** What became of the pieces that were asked for here. */
export function Made(props: { jobs: readonly Job[]; onShow: (jobId: string) => void }) {
  const { jobs } = props;
  const first = jobs[0];
  const failed = (job: Job) => isEnded(job) && job.state !== Job_State.SUCCEEDED;
  // What failed is told where it went wrong.
  if (first === undefined || jobs.every(failed)) return null;
  return (
    <p className="flex flex-wrap items-center gap-x-2 text-sm">
      <span role="status" data-testid="made" className="text-good">
        {words(jobs)}
      </span>
      <Button look="quiet" data-testid="show-made" onClick={() => props.onShow(first.jobId)}>
        Show
      </Button>
    </p>
  );
}

function words(jobs: readonly Job[]): string {
  const done = jobs.filter((job) => job.state === Job_State.SUCCEEDED).length;
  const open = jobs.filter((job) => !isEnded(job)).length;
  if (open > 0) return jobs.length === 1 ? 'It is being made.' : `${done} of ${jobs.length} made.`;
  if (done === jobs.length) return done === 1 ? 'It is made.' : `All ${done} are made.`;
  return `${done} of ${jobs.length} could be made.`;
}
