import { useMemo, useState } from 'react';
import { useCall } from '@/calls/use-call';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { useNow } from '@/ui/use-now';
import { ALL_QUEUES } from '@/watch/fold';
import { newestFirst } from '@/watch/job-state';
import { useJobsView } from '@/watch/react';
import { Announcer } from './announcer';
import { countsOf } from './batch';
import { type Entry, layOut } from './bench';
import { BenchProvider, type Lift } from './bench-context';
import { BenchEntries } from './bench-entries';
import { EmptyBench } from './empty-bench';
import type { JobSlots } from './job-card';
import { delayLeftMs } from './line';
import { PauseBanner, PauseButton } from './pause-banner';
import { TabTitle } from './tab-title';

/** Ended entries shown at first, and how many more at a time. */
const ENDED_SHOWN = 4;
const ENDED_MORE = 12;
/** How many more of a line are shown at a time. */
const LINE_MORE = 50;

/** All work on the bench: what goes on, what waits in its order, and the last that ended. */
export function JobList(props: { slots: JobSlots }) {
  const view = useJobsView();
  const jobs = useMemo(() => newestFirst(view).filter(hasCard), [view]);
  const nowMs = useNow((now) => jobs.some((job) => delayLeftMs(job, now) > 0));
  const [endedShown, setEndedShown] = useState(ENDED_SHOWN);
  const [lineShown, setLineShown] = useState<ReadonlyMap<string, number>>(new Map());
  const [lift, setLift] = useState<Lift | null>(null);
  const [said, say] = useState('');
  const tools = useMemo(() => ({ say, setLift }), []);
  const pausing = useCall();
  const bench = useMemo(() => layOut(jobs, nowMs, lineShown), [jobs, nowMs, lineShown]);
  const past: Entry[] = bench.open.length > 0 && bench.ended.length > 0 ? [{ kind: 'past' }] : [];
  const hidden = Math.max(0, bench.ended.length - endedShown);
  const counts = useMemo(() => countsOf(jobs), [jobs]);
  const allPaused = view.pausedQueues.has(ALL_QUEUES);
  return (
    <section id="bench" aria-labelledby="jobs-title" className="grid scroll-mt-4 grid-cols-1 gap-3">
      <div className="flex min-h-8.5 flex-wrap items-center justify-between gap-x-4">
        <h2 id="jobs-title" className="wide text-lg font-semibold">
          On the bench
        </h2>
        <div className="flex items-center gap-4">
          <span data-testid="bench-counts" className="figures text-sm text-muted">
            {workWords(counts.working, counts.waiting)}
          </span>
          {bench.open.length > 0 && !allPaused && <PauseButton call={pausing} />}
        </div>
      </div>
      <Announcer
        jobs={jobs}
        pausedQueues={view.pausedQueues}
        ready={view.ready}
        said={said}
        say={say}
      />
      <TabTitle jobs={jobs} paused={allPaused} />
      <PauseBanner pausedQueues={view.pausedQueues} waiting={counts.waiting} call={pausing} />
      {pausing.error !== null && !allPaused && (
        <ErrorNote message={pausing.error.message} remedy={pausing.error.remedy} />
      )}
      {jobs.length === 0 ? (
        <EmptyBench ready={view.ready} />
      ) : (
        <BenchProvider value={tools}>
          <BenchEntries
            bench={bench}
            entries={[...bench.open, ...past, ...bench.ended.slice(0, endedShown)]}
            jobs={jobs}
            pausedQueues={view.pausedQueues}
            nowMs={nowMs}
            lift={lift}
            slots={props.slots}
            onUnfold={(queue, shown) =>
              setLineShown(new Map(lineShown).set(queue, shown + LINE_MORE))
            }
            shownOf={lineShown}
          />
        </BenchProvider>
      )}
      {hidden > 0 && (
        <Button
          look="quiet"
          className="justify-self-start"
          onClick={() => setEndedShown(endedShown + ENDED_MORE)}
        >
          Show {Math.min(hidden, ENDED_MORE)} earlier
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

function workWords(working: number, waiting: number): string {
  const parts = [
    ...(working > 0 ? [`${working} working`] : []),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
  ];
  return parts.join(', ');
}
