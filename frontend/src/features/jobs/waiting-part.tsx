import type { ReactNode } from 'react';
import type { JobActions } from '@/calls/use-job-actions';
import type { Job, Job_Priority } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { BelowIcon, FrontIcon, UpIcon } from '@/ui/icons';
import { setbackWords } from '@/watch/progress-words';
import type { Place } from './bench';
import { CancelButton } from './cancel-button';
import { Grip } from './grip';
import { PRIORITIES, shortName, waitWords } from './job-words';
import type { Moves } from './use-moves';
import { useMoves } from './use-moves';

/** A job that waits: where it stands, and what can be done about that. */
export function WaitingPart(props: {
  job: Job;
  place: Place;
  paused: boolean;
  /** Only what waits for a delay needs to know the time. */
  nowMs: number;
  lifted: boolean;
  /** It is shown in the card of its batch, which is no line to drag it in. */
  inBatch: boolean;
  actions: JobActions;
  title: ReactNode;
}) {
  const { job, place, actions } = props;
  const moves = useMoves(job, actions, props.inBatch);
  const setback = setbackWords(job);
  const alone = place.isFirst && place.isLast;
  return (
    <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
      <div className="flex min-w-0 flex-[1_1_14rem] items-start gap-1.5">
        {!props.inBatch && !alone && <Grip job={job} lifted={props.lifted} onDrop={moves.before} />}
        <div className="min-w-0">
          {props.title}
          <p className="figures mt-0.5 text-sm">
            <span data-testid="job-stage">{waitWords(job, place, props.paused, props.nowMs)}</span>
          </p>
          {setback !== '' && (
            <p data-testid="job-setback" className="text-sm wrap-anywhere text-muted">
              {setback}
            </p>
          )}
        </div>
      </div>
      <div className="ml-auto flex items-center gap-1.5">
        {!alone && <MoveButtons job={job} place={place} moves={moves} />}
        <PriorityChoice job={job} busy={actions.busy} onChoose={moves.setPriority} />
        <CancelButton job={job} actions={actions} />
      </div>
    </div>
  );
}

function MoveButtons(props: { job: Job; place: Place; moves: Moves }) {
  const { place, moves } = props;
  const name = shortName(props.job);
  const buttons = [
    { id: 'move-first', label: `Move ${name} to the front`, icon: <FrontIcon /> },
    { id: 'move-up', label: `Move ${name} up`, icon: <UpIcon /> },
    { id: 'move-down', label: `Move ${name} down`, icon: <BelowIcon /> },
  ] as const;
  const go = { 'move-first': moves.first, 'move-up': moves.up, 'move-down': moves.down };
  return (
    <div className="flex">
      {buttons.map(({ id, label, icon }) => {
        const off = id === 'move-down' ? place.isLast : place.isFirst;
        return (
          <button
            key={id}
            type="button"
            data-testid={id}
            aria-label={label}
            title={label}
            aria-disabled={off}
            className="flex size-9 items-center justify-center rounded-md text-muted hover:text-ink aria-disabled:cursor-default aria-disabled:opacity-35"
            onClick={() => off || go[id]()}
          >
            {icon}
          </button>
        );
      })}
    </div>
  );
}

function PriorityChoice(props: {
  job: Job;
  busy: boolean;
  onChoose: (priority: Job_Priority) => void;
}) {
  const { job } = props;
  return (
    <select
      data-testid="priority"
      aria-label={`Priority of ${shortName(job)}`}
      className="h-8.5 rounded-md border border-line bg-well px-2 text-sm text-ink hover:border-edge"
      value={job.priority}
      onChange={(event) => props.onChoose(Number(event.target.value))}
    >
      {PRIORITIES.map(([priority, word]) => (
        <option key={priority} value={priority}>
          {word}
        </option>
      ))}
    </select>
  );
}
