import { memo, type ReactNode } from 'react';
import { readJobError } from '@/api/errors';
import { type JobActions, useJobActions } from '@/calls/use-job-actions';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { takeLostFocus } from '@/ui/focus';
import { ProgressDial } from '@/ui/progress-dial';
import { isEnded } from '@/watch/job-state';
import { etaWords, fractionOf, stageWords } from '@/watch/progress-words';
import { Attempts } from './attempts';
import type { Place } from './bench';
import type { Mark } from './bench-context';
import { CancelButton } from './cancel-button';
import { DropMark } from './drop-mark';
import { askedWords, stateWord } from './job-words';
import { WaitingPart } from './waiting-part';

/** What other features put into a card; the app passes them in. */
export interface JobSlots {
  /** A finished track, with all that can be done with it. */
  readonly track: (trackId: string, whenMissing: ReactNode) => ReactNode;
  /** A track's title, in a line of text. */
  readonly trackTitle: (trackId: string) => ReactNode;
  /** What can be heard of it while it is at work. */
  readonly preview: (job: Job) => ReactNode;
}

export interface JobCardProps {
  readonly job: Job;
  /** Another job was made of it already. */
  readonly retried: boolean;
  readonly slots: JobSlots;
  /** Where it waits; undefined: it doesn't. */
  readonly place: Place | undefined;
  /** Whether its queue is paused. */
  readonly paused: boolean;
  /** Only given to what waits for a delay to be over. */
  readonly nowMs: number;
  /** It lies in the card of its batch. */
  readonly inBatch: boolean;
  readonly lifted: boolean;
  /** Something else would be put down beside it. */
  readonly mark: Mark['side'] | undefined;
}

/** One job, from the moment it was accepted to what came of it. */
export const JobCard = memo(function JobCard(props: JobCardProps) {
  const { job, slots, place } = props;
  const actions = useJobActions(job.jobId);
  return (
    <li
      data-testid="job-card"
      data-job-id={job.jobId}
      data-rev={job.rev.toString()}
      data-state={Job_State[job.state].toLowerCase()}
      data-queue={place === undefined || props.inBatch ? undefined : place.queue}
      data-first={place === undefined || props.inBatch ? undefined : job.jobId}
      className={`relative grid grid-cols-1 gap-3 rounded-xl border bg-panel ${place === undefined ? 'p-4' : 'px-4 py-3'} ${props.lifted ? 'z-10 border-accent opacity-90 shadow-lg' : 'border-line'}`}
    >
      <DropMark side={props.mark} />
      {place === undefined ? (
        <Doing job={job} slots={slots} actions={actions} />
      ) : (
        <WaitingPart {...props} place={place} actions={actions} title={<Head {...props} />} />
      )}
      {!isEnded(job) && slots.preview(job)}
      {job.state === Job_State.FAILED && (
        <ErrorNote
          message={job.error?.message || 'The work failed.'}
          remedy={job.error?.remedy ?? ''}
        >
          <Faults job={job} />
          {!props.retried && <RetryButton actions={actions}>Retry</RetryButton>}
          <ClearButton actions={actions} />
        </ErrorNote>
      )}
      {job.state === Job_State.CANCELLED && (
        <div className="flex gap-2">
          {!props.retried && <RetryButton actions={actions}>Make it after all</RetryButton>}
          <ClearButton actions={actions} />
        </div>
      )}
      {job.state !== Job_State.SUCCEEDED && <Attempts job={job} />}
      {actions.error !== null && (
        <ErrorNote message={actions.error.message} remedy={actions.error.remedy} />
      )}
    </li>
  );
}, showsTheSame);

/** A line of hundreds is laid out with every frame; few of its cards change. */
function showsTheSame(before: JobCardProps, now: JobCardProps): boolean {
  const { place: stood, ...rest } = before;
  const { place: stands, ...others } = now;
  return sameFields(rest, others) && (stood === stands || sameFields(stood ?? {}, stands ?? {}));
}

function sameFields(one: object, other: object): boolean {
  const fields = Object.entries(other);
  const known = Object.entries(one);
  return (
    known.length === fields.length &&
    fields.every(([name, value]) => Object.is(value, (one as Record<string, unknown>)[name]))
  );
}

/** What is being made, or what came of it. */
function Doing(props: { job: Job; slots: JobSlots; actions: JobActions }) {
  const { job, slots, actions } = props;
  if (job.state === Job_State.SUCCEEDED) {
    return job.result?.trackIds.map((trackId) => (
      <div key={trackId}>{slots.track(trackId, <ClearButton actions={actions} />)}</div>
    ));
  }
  return (
    <>
      <div className="flex items-start justify-between gap-4">
        <Head job={job} slots={slots} />
        <span data-testid="job-state" className="plate shrink-0 pt-1 text-muted">
          {stateWord(job)}
        </span>
      </div>
      {!isEnded(job) && <JobProgress job={job} actions={actions} />}
    </>
  );
}

function RetryButton(props: { actions: JobActions; children: ReactNode }) {
  const { actions } = props;
  return (
    <Button
      ref={actions.asked ? takeLostFocus : undefined}
      data-testid="retry"
      aria-disabled={actions.busy}
      onClick={actions.retry}
    >
      {props.children}
    </Button>
  );
}

function ClearButton(props: { actions: JobActions }) {
  return (
    <Button look="quiet" data-testid="clear" onClick={props.actions.clear}>
      Remove from list
    </Button>
  );
}

/** The fields of the request that made it fail, if it was they. */
function Faults(props: { job: Job }) {
  const faults = Object.entries(readJobError(props.job.error).fields);
  if (faults.length === 0) return null;
  return (
    <ul data-testid="job-faults" className="basis-full">
      {faults.map(([path, fault]) => (
        <li key={path}>
          <span className="text-muted">{path}:</span> {fault}
        </li>
      ))}
    </ul>
  );
}

function Head(props: { job: Job; slots: JobSlots }) {
  const asked = askedWords(props.job);
  const kind = props.job.spec?.kind;
  const parent = kind?.case === 'generate' ? kind.value.parentTrackId : '';
  return (
    <div className="min-w-0">
      <h3 dir="auto" className="line-clamp-2 text-left leading-snug font-semibold wrap-anywhere">
        <JobTitle job={props.job} slots={props.slots} />
      </h3>
      {asked !== '' && <p className="figures mt-0.5 text-sm text-muted">{asked}</p>}
      {parent !== '' && (
        <p data-testid="job-lineage" className="text-sm text-muted">
          Variation of <span className="text-ink">{props.slots.trackTitle(parent)}</span>
        </p>
      )}
    </div>
  );
}

export function JobTitle(props: { job: Job; slots: Pick<JobSlots, 'trackTitle'> }) {
  const kind = props.job.spec?.kind;
  if (kind?.case === 'generate') return kind.value.parameters?.prompt;
  if (kind?.case === 'loop' && kind.value.source?.source.case === 'trackId') {
    return props.slots.trackTitle(kind.value.source.source.value);
  }
  return 'Work';
}

function JobProgress(props: { job: Job; actions: JobActions }) {
  const { job } = props;
  const fraction = fractionOf(job);
  const eta = job.state === Job_State.RUNNING ? etaWords(job.progress?.eta) : undefined;
  const again = job.attempt > 1 ? `Attempt ${job.attempt} of ${job.maxAttempts}` : '';
  return (
    <>
      <ProgressDial label="Progress" fraction={fraction} />
      <div className="flex items-center justify-between gap-4">
        <p className="flex min-w-0 flex-wrap items-baseline gap-x-3 text-sm">
          {fraction !== undefined && (
            <span data-testid="job-percent" className="wide figures text-xl font-semibold">
              {Math.floor(fraction * 100)}%
            </span>
          )}
          <span data-testid="job-stage" className="wrap-anywhere">
            {stageWords(job)}
          </span>
          {eta !== undefined && (
            <span data-testid="job-eta" className="figures text-muted">
              {eta}
            </span>
          )}
          {again !== '' && (
            <span data-testid="job-attempt" className="figures text-muted">
              {again}
            </span>
          )}
        </p>
        <CancelButton job={job} actions={props.actions} />
      </div>
    </>
  );
}
