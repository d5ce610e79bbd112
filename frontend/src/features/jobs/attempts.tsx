import { timestampMs } from '@bufbuild/protobuf/wkt';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import { type Attempt, type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { lengthWords } from '@/ui/time';
import { isEnded } from '@/watch/job-state';

const { CANCELLED } = ErrorReason;

/** What was tried before, and why it came to nothing. */
export function Attempts(props: { job: Job }) {
  const { state } = props.job;
  // One that stopped because it was cancelled is no setback.
  const attempts = props.job.attempts.filter(({ error }) => error?.reason !== CANCELLED);
  if (attempts.length === 0) return null;
  const failed = state === Job_State.FAILED;
  const count = attempts.length === 1 ? '1 attempt' : `${attempts.length} attempts`;
  return (
    <details data-testid="attempts" className="text-sm" open={failed && attempts.length > 1}>
      <summary className="w-fit py-0.5 text-muted hover:text-ink">
        {isEnded(props.job) ? `${count} came to nothing` : `${count} before came to nothing`}
      </summary>
      <ol className="mt-1.5 grid gap-2 border-l border-line pl-3">
        {attempts.map((attempt) => (
          // A given-back attempt's number is used again.
          <li key={`${attempt.attempt}-${startMs(attempt)}`} data-testid="attempt">
            <p className="figures text-muted">{headWords(attempt)}</p>
            <p className="wrap-anywhere">
              {attempt.error?.message ||
                (attempt.error === undefined
                  ? 'Given back by its worker, which was asked to stop. It doesn’t count.'
                  : 'The work failed.')}
            </p>
          </li>
        ))}
      </ol>
    </details>
  );
}

/** "Attempt 1, 14:03, after 12 s on composer-1". */
function headWords(attempt: Attempt): string {
  const { startTime, endTime, worker } = attempt;
  const parts = [`Attempt ${attempt.attempt}`];
  if (startTime !== undefined) {
    const at = new Date(timestampMs(startTime));
    parts.push(at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' }));
    if (endTime !== undefined) {
      const seconds = (timestampMs(endTime) - timestampMs(startTime)) / 1_000;
      parts.push(`after ${seconds < 1 ? 'less than 1 s' : lengthWords(seconds)}`);
    }
  }
  return parts.join(', ') + (worker === '' ? '' : ` on ${worker}`);
}

function startMs(attempt: Attempt): number {
  return attempt.startTime === undefined ? 0 : timestampMs(attempt.startTime);
}
