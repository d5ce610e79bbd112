import { type ReactNode, useId, useState } from 'react';
import { useClients } from '@/api/clients';
import { useCall } from '@/calls/use-call';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { ConfirmButton } from '@/ui/confirm-button';
import { ErrorNote } from '@/ui/error-note';
import { type Batch, countWords, openCount } from './batch';
import type { Mark } from './bench-context';
import { DropMark } from './drop-mark';
import { type JobSlots, JobTitle } from './job-card';
import { nth } from './job-words';
import { StateBar } from './state-bar';

/** A batch of no more is unfolded from the start: somebody wants to hear which is the best. */
const FEW = 4;
/** Jobs that are shown at first, and how many more at a time. */
const SHOWN = 20;
const MORE = 50;

/** Jobs that were asked for together: how they are doing, and each of them. */
export function BatchCard(props: {
  batch: Batch;
  /** The queue in whose line it lies; empty if it is shown elsewhere. */
  queue: string;
  /** The place in line of the first that waits; 0 if none could start. */
  place: number;
  mark: Mark['side'] | undefined;
  slots: JobSlots;
  card: (job: Job) => ReactNode;
}) {
  const { batch, queue } = props;
  const { jobs, counts } = batch;
  const clients = useClients();
  const cancelling = useCall();
  const [folding, setFolding] = useState<boolean | null>(null);
  const begun = counts.waiting < jobs.length;
  const unfolded = folding ?? (begun && jobs.length <= FEW);
  const [shown, setShown] = useState(SHOWN);
  const listId = useId();
  const open = openCount(counts);
  return (
    <li
      data-testid="batch-card"
      data-batch-id={batch.batchId}
      data-queue={queue === '' ? undefined : queue}
      data-first={queue === '' ? undefined : firstWaiting(batch)}
      className="relative grid grid-cols-1 gap-3 rounded-xl border border-line bg-panel p-4"
    >
      <DropMark side={props.mark} />
      <div className="flex items-start justify-between gap-4">
        <div className="min-w-0">
          <h3
            dir="auto"
            className="line-clamp-2 text-left leading-snug font-semibold wrap-anywhere"
          >
            <JobTitle job={batch.first} slots={props.slots} />
          </h3>
          <p className="mt-0.5 text-sm text-muted">{kindWords(jobs)}</p>
        </div>
        <span className="plate shrink-0 pt-1 text-muted">
          {batchState(batch, queue === '' ? 0 : props.place)}
        </span>
      </div>
      {begun && <StateBar counts={counts} />}
      <div className="flex flex-wrap items-center justify-between gap-x-4 gap-y-1">
        <p data-testid="batch-counts" className="figures text-sm">
          {countWords(counts)}
        </p>
        <div className="ml-auto flex flex-wrap items-center gap-1.5">
          <Button
            look="quiet"
            data-testid="batch-fold"
            aria-expanded={unfolded}
            aria-controls={listId}
            onClick={() => setFolding(!unfolded)}
          >
            {unfolded ? 'Fold' : `Show all ${jobs.length}`}
          </Button>
          {open > 0 && (
            <ConfirmButton
              testId="batch-cancel"
              label="Cancel all"
              sure={`Cancel ${open}`}
              busy={cancelling.busy}
              onSure={() =>
                void cancelling.ask(() => clients.jobs.cancelJobBatch({ batchId: batch.batchId }))
              }
            />
          )}
        </div>
      </div>
      {cancelling.error !== null && (
        <ErrorNote message={cancelling.error.message} remedy={cancelling.error.remedy} />
      )}
      {unfolded && (
        <ul id={listId} aria-label="Its jobs" className="grid grid-cols-1 gap-2">
          {jobs.slice(0, shown).map(props.card)}
        </ul>
      )}
      {unfolded && jobs.length > shown && (
        <Button
          look="quiet"
          className="justify-self-start"
          data-testid="batch-more"
          onClick={() => setShown(shown + MORE)}
        >
          and {jobs.length - shown} more
        </Button>
      )}
    </li>
  );
}

/** The first of its jobs that waits, by which the line knows it; empty if none does. */
export function firstWaiting(batch: Batch): string {
  return batch.jobs[batch.counts.working]?.jobId ?? '';
}

function batchState({ counts }: Batch, place: number): string {
  if (counts.working > 0) return 'Working';
  if (counts.waiting > 0) return place > 0 ? `${nth(place)} in line` : 'Waiting';
  return counts.failed > 0 ? 'Ended' : counts.succeeded > 0 ? 'Done' : 'Cancelled';
}

/** "4 versions" of one prompt; else "and 7 more pieces". */
function kindWords(jobs: readonly Job[]): string {
  const prompts = new Set(jobs.map(promptOf));
  const [prompt] = prompts;
  if (prompts.size === 1 && prompt !== '') return `${jobs.length} versions`;
  return `and ${jobs.length - 1} more ${jobs.length === 2 ? 'piece' : 'pieces'}`;
}

function promptOf(job: Job): string {
  const kind = job.spec?.kind;
  return kind?.case === 'generate' ? (kind.value.parameters?.prompt ?? '') : '';
}
