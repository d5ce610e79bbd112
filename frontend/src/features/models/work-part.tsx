import { readJobError } from '@/api/errors';
import { useJobActions } from '@/calls/use-job-actions';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { ProgressDial } from '@/ui/progress-dial';
import { etaWords, fractionOf, stageWords, transferWords } from '@/watch/progress-words';
import type { Work } from './use-work';

/** What goes on with an engine or a model, or why the last thing failed. */
export function WorkPart(props: { work: Work; name: string; title: (job: Job) => string }) {
  const { open, failed, dismiss } = props.work;
  if (open !== undefined)
    return <OpenWork job={open} name={props.name} title={props.title(open)} />;
  if (failed === undefined) return null;
  const error = readJobError(failed.error);
  return (
    <ErrorNote message={error.message} remedy={error.remedy}>
      <Button look="quiet" data-testid="dismiss" onClick={dismiss}>
        Dismiss
      </Button>
    </ErrorNote>
  );
}

function OpenWork(props: { job: Job; name: string; title: string }) {
  const { job, name, title } = props;
  const actions = useJobActions(job.jobId);
  const { progress } = job;
  const fraction = fractionOf(job);
  const running = job.state === Job_State.RUNNING;
  const stopping = actions.busy || job.state === Job_State.CANCELLING;
  const eta = running ? etaWords(progress?.eta) : undefined;
  const moved = running ? transferWords(progress?.transfer) : '';
  return (
    <div data-testid="work" className="grid grid-cols-1 gap-2">
      <ProgressDial label={`${title} ${name}`} fraction={fraction} />
      <div className="flex items-center justify-between gap-4">
        <p className="flex min-w-0 flex-wrap items-baseline gap-x-3 text-sm">
          {fraction !== undefined && (
            <span data-testid="work-percent" className="wide figures text-lg font-semibold">
              {Math.floor(fraction * 100)}%
            </span>
          )}
          <span data-testid="work-stage" className="wrap-anywhere">
            {stageWords(job)}
          </span>
          {moved !== '' && (
            <span data-testid="work-transfer" className="figures text-muted">
              {moved}
            </span>
          )}
          {eta !== undefined && (
            <span data-testid="work-eta" className="figures text-muted">
              {eta}
            </span>
          )}
        </p>
        <Button
          data-testid="work-cancel"
          aria-label={`Cancel: ${title} ${name}`}
          aria-disabled={stopping}
          onClick={() => stopping || actions.cancel()}
        >
          Cancel
        </Button>
      </div>
      {/* Each stage is said once; the numbers beside it are silent. */}
      <p role="status" className="sr-only">
        {name}: {running ? (progress?.stage ?? '') : stageWords(job)}
      </p>
      {actions.error !== null && (
        <ErrorNote message={actions.error.message} remedy={actions.error.remedy} />
      )}
    </div>
  );
}
