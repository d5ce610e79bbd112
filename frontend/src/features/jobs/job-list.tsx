import { useState } from 'react';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { RestingScale } from '@/ui/progress-dial';
import { isEnded, newestFirst } from '@/watch/job-state';
import { useConnection, useJobsView } from '@/watch/react';
import { Announcer } from './announcer';
import { JobCard, type JobSlots } from './job-card';
import { TabTitle } from './tab-title';

/** Ended jobs shown at first, and how many more at a time. */
const ENDED_SHOWN = 4;
const ENDED_MORE = 12;

/** All work on the bench: what goes on, and the last few things that ended. */
export function JobList(props: { slots: JobSlots }) {
  const view = useJobsView();
  const [shown, setShown] = useState(ENDED_SHOWN);
  const jobs = newestFirst(view).filter(hasCard);
  const ended = jobs.filter(isEnded);
  const retried = new Set(jobs.map((job) => job.retryOf));
  const hidden = new Set(ended.slice(shown).map((job) => job.jobId));
  return (
    <section id="bench" aria-labelledby="jobs-title" className="grid scroll-mt-4 grid-cols-1 gap-3">
      <div className="flex items-baseline justify-between">
        <h2 id="jobs-title" className="wide text-lg font-semibold">
          On the bench
        </h2>
        <span className="figures text-sm text-muted">{workingWords(jobs)}</span>
      </div>
      <Announcer jobs={jobs} ready={view.ready} />
      <TabTitle jobs={jobs} />
      {jobs.length === 0 ? (
        <EmptyBench ready={view.ready} />
      ) : (
        <ul className="grid grid-cols-1 gap-3">
          {jobs
            .filter((job) => !hidden.has(job.jobId))
            .map((job) => (
              <JobCard
                key={job.jobId}
                job={job}
                retried={retried.has(job.jobId)}
                slots={props.slots}
              />
            ))}
        </ul>
      )}
      {hidden.size > 0 && (
        <Button
          look="quiet"
          className="justify-self-start"
          onClick={() => setShown(shown + ENDED_MORE)}
        >
          Show {Math.min(hidden.size, ENDED_MORE)} earlier
        </Button>
      )}
    </section>
  );
}

/**
 * Cards are for what becomes a track: a download and a search for loops show at theirs, and
 * models and environments are nothing to listen to.
 */
function hasCard(job: Job): boolean {
  const kind = job.spec?.kind.case;
  return kind === undefined || kind === 'generate' || kind === 'loop';
}

function workingWords(jobs: readonly Job[]): string {
  const count = jobs.filter((job) => !isEnded(job)).length;
  return count === 0 ? '' : `${count} in work`;
}

/** The dial at rest. */
function EmptyBench(props: { ready: boolean }) {
  const connection = useConnection();
  return (
    <div className="glass relative overflow-hidden rounded-xl px-5 pt-5 pb-6 text-glow-text">
      <RestingScale />
      <div className="mt-5 min-h-18">
        {props.ready ? (
          <>
            <p className="wide font-semibold text-glow">Nothing in work</p>
            <p className="mt-1 max-w-prose text-sm">
              Describe a track and press “Make track”. You can watch it being made here, or close
              the page meanwhile: the work goes on.
            </p>
          </>
        ) : (
          <p className="text-sm">
            {connection === 'reconnecting'
              ? 'The studio does not answer. Trying again…'
              : 'Asking the studio what it is doing…'}
          </p>
        )}
      </div>
    </div>
  );
}
