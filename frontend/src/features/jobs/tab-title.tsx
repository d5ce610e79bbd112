import { useEffect } from 'react';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { isEnded } from '@/watch/job-state';
import { fractionOf } from '@/watch/progress-words';

const PLAIN = 'MusicGen Local';

/** Says in the tab how far the work is, for whoever looks at another page meanwhile. */
export function TabTitle(props: { jobs: readonly Job[]; paused: boolean }) {
  const title = titleWords(props.jobs, props.paused);
  useEffect(() => {
    document.title = title;
  }, [title]);
  return null;
}

/** "43% · MusicGen Local"; with several jobs "43% · 2 waiting · MusicGen Local". */
export function titleWords(jobs: readonly Job[], paused = false): string {
  const open = jobs.filter((job) => !isEnded(job));
  const shares = open
    .filter((job) => job.state === Job_State.RUNNING)
    .map((job) => fractionOf(job) ?? 0);
  const waiting = open.length - shares.length;
  return [
    ...(shares.length > 0 ? [`${Math.floor(Math.max(...shares) * 100)}%`] : []),
    ...(paused && waiting > 0 ? ['paused'] : []),
    ...(waiting > 0 ? [`${waiting} waiting`] : []),
    PLAIN,
  ].join(' · ');
}
