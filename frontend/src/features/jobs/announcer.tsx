import { useEffect, useRef, useState } from 'react';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { isEnded } from '@/watch/job-state';
import { fractionOf } from '@/watch/progress-words';
import { stateWord } from './job-words';

const HEARD = ' heard';

/**
 * Tells a screen reader what changed, and no more than that: a new state, each
 * quarter of the way, and that it can be heard. The numbers on the cards themselves are silent.
 */
export function Announcer(props: { jobs: readonly Job[]; ready: boolean }) {
  const said = useRef<Map<string, string> | null>(null);
  const [text, setText] = useState('');
  useEffect(() => {
    if (!props.ready) return;
    const now = new Map(props.jobs.map((job) => [job.jobId, milestone(job)]));
    const before = said.current;
    said.current = now;
    if (before === null) return; // what was there before the page was is no news
    const news = props.jobs.filter((job) => before.get(job.jobId) !== now.get(job.jobId));
    const telling = (job: Job) => sentence(job, before.get(job.jobId) ?? '');
    if (news.length > 0) setText(news.map(telling).join('. '));
  }, [props.jobs, props.ready]);
  return (
    <p aria-live="polite" className="sr-only" data-testid="announcer">
      {text}
    </p>
  );
}

function milestone(job: Job): string {
  if (isEnded(job)) return stateWord(job);
  return `${stateWord(job)} ${quarter(job)}${job.previews.length > 0 ? HEARD : ''}`;
}

function quarter(job: Job): number {
  return Math.floor((fractionOf(job) ?? 0) * 4) * 25;
}

function sentence(job: Job, before: string): string {
  const name = job.spec?.kind.case === 'loop' ? 'Loop' : 'Track';
  const percent = quarter(job);
  if (milestone(job).endsWith(HEARD) && !before.endsWith(HEARD)) return `${name}: can be heard`;
  return isEnded(job) || percent === 0
    ? `${name}: ${stateWord(job)}`
    : `${name}: ${percent} percent`;
}
