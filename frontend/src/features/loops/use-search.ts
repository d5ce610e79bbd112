import { useClients } from '@/api/clients';
import { type ApiError, readError, readJobError } from '@/api/errors';
import { useCreateJob } from '@/calls/use-create-job';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { LoopAnalysis } from '@/gen/musicgen/api/looper/v1/loop_pb';
import type { JobsView } from '@/watch/fold';
import { isEnded, newestFirst } from '@/watch/job-state';
import { useJobsStore, useJobsView } from '@/watch/react';
import { useCallError } from '@/watch/use-call-error';
import type { Cycle } from './draft';

export interface Search {
  /** The newest search in this track that was not cancelled. */
  readonly job: Job | undefined;
  readonly busy: boolean;
  /** Why it was refused, or why it found nothing. */
  readonly error: ApiError | null;
  /** What came nearest where nothing repeats well. */
  readonly nearMiss: Cycle | undefined;
  readonly analysis: LoopAnalysis | undefined;
  readonly find: () => void;
  readonly cancel: () => void;
}

/** The search for loops in a track, followed by the watch; it outlives the panel and the page. */
export function useSearch(trackId: string): Search {
  const { jobs } = useClients();
  const store = useJobsStore();
  const job = newestSearch(useJobsView(), trackId);
  const { busy, error: refusal, createJob } = useCreateJob();
  const [stopping, setStopping] = useCallError();
  const failed = job?.state === Job_State.FAILED ? readJobError(job.error) : null;
  return {
    job,
    busy: busy || (job !== undefined && !isEnded(job)),
    error: refusal ?? stopping ?? failed,
    nearMiss: job === undefined || failed === null ? undefined : nearMissOf(job),
    analysis: job?.result?.analysis,
    find: () => {
      setStopping(null);
      const source = { source: { case: 'trackId' as const, value: trackId } };
      void createJob({ case: 'findLoops', value: { source } });
    },
    cancel: () => {
      if (job === undefined) return;
      jobs.cancelJob({ jobId: job.jobId }).then(
        (answer) => store.merge(answer.job),
        (thrown: unknown) => setStopping(readError(thrown)),
      );
    },
  };
}

export function newestSearch(view: JobsView, trackId: string): Job | undefined {
  return newestFirst(view).find((job) => {
    const kind = job.spec?.kind;
    return (
      kind?.case === 'findLoops' &&
      kind.value.source?.source.value === trackId &&
      job.state !== Job_State.CANCELLED
    );
  });
}

function nearMissOf(job: Job): Cycle | undefined {
  const { best_start_frame: start = '', best_end_frame: end = '' } = job.error?.metadata ?? {};
  const frames = /^\d{1,15}$/;
  return frames.test(start) && frames.test(end)
    ? { start: BigInt(start), end: BigInt(end) }
    : undefined;
}
