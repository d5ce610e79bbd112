import type { ReactNode } from 'react';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { isPaused } from '@/watch/job-state';
import { BatchCard, firstWaiting } from './batch-card';
import { type Bench, type Entry, LINE_SHOWN } from './bench';
import type { Lift, Mark } from './bench-context';
import { DropMark } from './drop-mark';
import { JobCard, type JobSlots, JobTitle } from './job-card';
import { nth, queueWords } from './job-words';
import { delayLeftMs } from './line';

/** What lies on the bench, in one list: a card keeps its keyboard focus wherever it goes. */
export function BenchEntries(props: {
  bench: Bench;
  /** Those of its entries that are shown. */
  entries: readonly Entry[];
  jobs: readonly Job[];
  pausedQueues: ReadonlySet<string>;
  nowMs: number;
  lift: Lift | null;
  slots: JobSlots;
  /** How many of a line are shown, where that was changed. */
  shownOf: ReadonlyMap<string, number>;
  onUnfold: (queue: string, shown: number) => void;
}) {
  const { bench, lift, slots } = props;
  const retried = new Set(props.jobs.map((job) => job.retryOf));
  const markAt = (firstId: string): Mark['side'] | undefined =>
    lift?.mark?.firstId === firstId ? lift.mark.side : undefined;
  const card = (job: Job, inBatch: boolean) => (
    <JobCard
      key={job.jobId}
      job={job}
      retried={retried.has(job.jobId)}
      slots={slots}
      place={job.state === Job_State.QUEUED ? bench.places.get(job.jobId) : undefined}
      paused={isPaused(props, job.queue)}
      nowMs={delayLeftMs(job, props.nowMs) > 0 ? props.nowMs : Number.POSITIVE_INFINITY}
      inBatch={inBatch}
      lifted={lift?.jobId === job.jobId}
      mark={inBatch ? undefined : markAt(job.jobId)}
    />
  );
  const several = bench.lines.length > 1;
  const row = (entry: Entry): ReactNode => {
    switch (entry.kind) {
      case 'job':
        return card(entry.job, false);
      case 'batch':
        return (
          <BatchCard
            key={entry.batch.batchId}
            batch={entry.batch}
            queue={entry.queue}
            place={bench.places.get(firstWaiting(entry.batch))?.number ?? 0}
            mark={entry.queue === '' ? undefined : markAt(firstWaiting(entry.batch))}
            slots={slots}
            card={(job) => card(job, true)}
          />
        );
      case 'some': {
        const first = entry.jobs[0]?.jobId ?? '';
        return (
          <SomeOfBatch
            key={`some-${first}`}
            entry={entry}
            number={bench.places.get(first)?.number ?? 0}
            mark={markAt(first)}
            slots={slots}
          />
        );
      }
      case 'line':
        return (
          <li
            key={`line-${entry.queue}`}
            data-testid="line-head"
            className="plate mt-2 flex items-baseline justify-between text-muted"
          >
            <span>{several ? `Waiting for ${queueWords(entry.queue)}` : 'Waiting'}</span>
            <span className="figures">{entry.count}</span>
          </li>
        );
      case 'past':
        return (
          <li key="past" className="plate mt-2 text-muted">
            Ended
          </li>
        );
      case 'folded':
        return (
          <li key={`folded-${entry.queue}`}>
            <Button
              look="quiet"
              data-testid="line-more"
              onClick={() =>
                props.onUnfold(entry.queue, props.shownOf.get(entry.queue) ?? LINE_SHOWN)
              }
            >
              and {entry.count} more
            </Button>
          </li>
        );
    }
  };
  return <ul className="grid grid-cols-1 gap-3">{props.entries.map(row)}</ul>;
}

/** A place in line of jobs whose batch's card lies elsewhere. */
function SomeOfBatch(props: {
  entry: Extract<Entry, { kind: 'some' }>;
  number: number;
  mark: Mark['side'] | undefined;
  slots: JobSlots;
}) {
  const { jobs } = props.entry;
  const [first] = jobs;
  if (first === undefined) return null;
  const place = props.number > 0 ? `${nth(props.number)} in line: ` : '';
  return (
    <li
      data-testid="some-of-batch"
      data-queue={first.queue}
      data-first={first.jobId}
      className="relative flex gap-1.5 rounded-xl border border-dashed border-line px-4 py-2 text-sm text-muted"
    >
      <DropMark side={props.mark} />
      <span className="figures shrink-0">
        {place}
        {jobs.length} of
      </span>
      <span className="truncate text-ink">
        <JobTitle job={first} slots={props.slots} />
      </span>
    </li>
  );
}
