import type { JobActions } from '@/calls/use-job-actions';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { takeLostFocus } from '@/ui/focus';

export function CancelButton(props: { job: Job; actions: JobActions }) {
  const { job, actions } = props;
  const stopping = actions.busy || job.state === Job_State.CANCELLING;
  return (
    <Button
      ref={actions.asked ? takeLostFocus : undefined}
      data-testid="cancel"
      aria-disabled={stopping}
      onClick={() => stopping || actions.cancel()}
    >
      Cancel
    </Button>
  );
}
