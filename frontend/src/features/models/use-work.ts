import { useClients } from '@/api/clients';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { JobsView } from '@/watch/fold';
import { isEnded, newestFirst } from '@/watch/job-state';
import { useJobsView } from '@/watch/react';

/** What work is about: an engine's environment, or a model. */
export type Subject = { readonly engine: string } | { readonly model: string };

export interface Work {
  /** What goes on now. */
  readonly open: Job | undefined;
  /** What failed, if nothing came after it. */
  readonly failed: Job | undefined;
  /** Forgets all that failed. */
  readonly dismiss: () => void;
}

/** The work on an engine or a model, followed by the watch: it outlives panel and page. */
export function useWork(subject: Subject): Work {
  const { jobs } = useClients();
  const all = newestFirst(useJobsView()).filter((job) => isAbout(job, subject));
  const newest = all[0];
  return {
    open: all.findLast((job) => !isEnded(job)),
    failed: newest?.state === Job_State.FAILED ? newest : undefined,
    dismiss: () => {
      for (const { jobId, state } of all) {
        // One that can't be forgotten now is offered again.
        if (state === Job_State.FAILED) jobs.deleteJob({ jobId }).catch(() => {});
      }
    },
  };
}

/** All work on engines and models that goes on. */
export function openWork(view: JobsView): Job[] {
  const kinds = ['setupEngine', 'installModel', 'verifyModel'];
  return newestFirst(view).filter(
    (job) => !isEnded(job) && kinds.includes(job.spec?.kind.case ?? ''),
  );
}

function isAbout(job: Job, subject: Subject): boolean {
  const kind = job.spec?.kind;
  if ('engine' in subject) {
    return kind?.case === 'setupEngine' && kind.value.engine === subject.engine;
  }
  return (
    (kind?.case === 'installModel' || kind?.case === 'verifyModel') &&
    kind.value.model === subject.model
  );
}
