import type { Listings } from '@/calls/listings';
import type { JobSpec } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { isEnded } from '@/watch/job-state';
import type { JobsStore } from '@/watch/jobs-store';

/** Work after which engines or models stand otherwise: a piece starts a host, too. */
const CHANGING: ReadonlySet<JobSpec['kind']['case']> = new Set([
  'installModel',
  'verifyModel',
  'setupEngine',
  'generate',
]);

/**
 * Asks for the engines and models anew when they may have changed: such work ended, or the
 * studio came back, perhaps as another one.
 */
export function keepCurrent(jobs: JobsStore, { engines, models }: Listings): void {
  let view = jobs.view;
  let open: ReadonlySet<string> = new Set();
  let live = false;
  let wasLive = false;
  const refresh = () => {
    engines.refresh();
    models.refresh();
  };
  jobs.subscribe(() => {
    const isLive = jobs.connection === 'live';
    if (isLive && !live) {
      const failed = engines.state.error !== null || models.state.error !== null;
      if (wasLive || failed) refresh();
      wasLive = true;
    }
    live = isLive;
    // Between two snapshots nothing is known, which does not mean that work has ended.
    if (view === jobs.view || !jobs.view.ready) return;
    view = jobs.view;
    const going = [...view.jobs.values()].filter(
      (job) => CHANGING.has(job.spec?.kind.case) && !isEnded(job),
    );
    const now = new Set(going.map((job) => job.jobId));
    const over = [...open].some((jobId) => !now.has(jobId) && view.jobs.has(jobId));
    open = now;
    if (over) refresh();
  });
}
