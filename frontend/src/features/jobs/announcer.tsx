import { useEffect, useEffectEvent, useRef } from 'react';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { ALL_QUEUES } from '@/watch/fold';
import { isEnded } from '@/watch/job-state';
import { fractionOf } from '@/watch/progress-words';
import { countsOf, countWords } from './batch';
import { priorityWords, queueWords, stateWord } from './job-words';

const HEARD = ' heard';
/** More than so many jobs at once are counted, not named one by one. */
const NAMED = 3;

/**
 * Tells a screen reader what changed, and no more than that: a new state or priority, each
 * quarter of the way, that it can be heard, and pauses. The numbers on the cards themselves
 * are silent.
 */
export function Announcer(props: {
  jobs: readonly Job[];
  pausedQueues: ReadonlySet<string>;
  ready: boolean;
  said: string;
  say: (text: string) => void;
}) {
  const { jobs, pausedQueues, ready } = props;
  const before = useRef<Told | null>(null);
  const tell = useEffectEvent(props.say);
  useEffect(() => {
    if (!ready) return;
    const now = { jobs: new Map(jobs.map((job) => [job.jobId, milestone(job)])), pausedQueues };
    const known = before.current;
    before.current = now;
    if (known === null) return; // what was there before the page was is no news
    const news = [...pauseNews(known.pausedQueues, pausedQueues), ...jobNews(known.jobs, jobs)];
    if (news.length > 0) tell(news.join('. '));
  }, [jobs, pausedQueues, ready]);
  return (
    <p aria-live="polite" className="sr-only" data-testid="announcer">
      {props.said}
    </p>
  );
}

interface Told {
  readonly jobs: ReadonlyMap<string, string>;
  readonly pausedQueues: ReadonlySet<string>;
}

function pauseNews(before: ReadonlySet<string>, now: ReadonlySet<string>): string[] {
  const name = (queue: string) =>
    queue === ALL_QUEUES ? 'The queue' : `The queue of ${queueWords(queue)}`;
  return [
    ...[...now].filter((one) => !before.has(one)).map((one) => `${name(one)} is paused`),
    ...[...before].filter((one) => !now.has(one)).map((one) => `${name(one)} goes on`),
  ];
}

function jobNews(before: ReadonlyMap<string, string>, jobs: readonly Job[]): string[] {
  const news = jobs.filter((job) => before.get(job.jobId) !== milestone(job));
  const singles = news.filter((job) => job.batchId === '');
  const batches = new Set(news.map((job) => job.batchId).filter((batchId) => batchId !== ''));
  const ofBatches = [...batches].map((batchId) => {
    const counts = countsOf(jobs.filter((job) => job.batchId === batchId));
    return `Batch: ${countWords(counts)}`;
  });
  if (singles.length <= NAMED) {
    const telling = (job: Job) => sentence(job, before.get(job.jobId) ?? '');
    return [...singles.map(telling), ...ofBatches];
  }
  const words = new Map<string, number>();
  for (const job of singles) words.set(stateWord(job), (words.get(stateWord(job)) ?? 0) + 1);
  const counted = [...words].map(([word, count]) => `${count} ${word}`).join(', ');
  return [`${singles.length} jobs: ${counted}`, ...ofBatches];
}

function milestone(job: Job): string {
  if (isEnded(job)) return stateWord(job);
  const heard = job.previews.length > 0 ? HEARD : '';
  return `${stateWord(job)} ${priorityWords(job)} ${quarter(job)}${heard}`;
}

function quarter(job: Job): number {
  return Math.floor((fractionOf(job) ?? 0) * 4) * 25;
}

function sentence(job: Job, before: string): string {
  const name = job.spec?.kind.case === 'loop' ? 'Loop' : 'Track';
  const percent = quarter(job);
  if (milestone(job).endsWith(HEARD) && !before.endsWith(HEARD)) return `${name}: can be heard`;
  if (!isEnded(job) && percent > 0) return `${name}: ${percent} percent`;
  const priority = isEnded(job) ? '' : priorityWords(job);
  return `${name}: ${stateWord(job)}${priority === '' ? '' : `, ${priority}`}`;
}
