import type { JobEvent, QueueChange } from '@/gen/musicgen/api/jobs/v1/job_event_pb';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { WatchJobsResponse } from '@/gen/musicgen/api/jobs/v1/job_service_pb';

/** What a watch has told so far. Never changed in place. */
export interface JobsView {
  /** Whether a whole snapshot was seen: before that, "no jobs" means nothing. */
  readonly ready: boolean;
  readonly jobs: ReadonlyMap<string, Job>;
  /** Queues whose jobs wait until they are resumed; ALL_QUEUES stands for every one. */
  readonly pausedQueues: ReadonlySet<string>;
  /** Where in the history this is; empty before the first whole snapshot. */
  readonly cursor: string;
  /** Pages of a snapshot that is not complete yet; null outside one. */
  readonly pages: readonly Job[] | null;
  /** Last rev of jobs whose records are gone, so that a late event revives none. */
  readonly gone: ReadonlyMap<string, bigint>;
}

/** Paused by this name, every queue waits, apart from pauses of its own. */
export const ALL_QUEUES = 'all';

export const EMPTY_VIEW: JobsView = {
  ready: false,
  jobs: new Map(),
  pausedQueues: new Set(),
  cursor: '',
  pages: null,
  gone: new Map(),
};

/** The view after one more frame. */
export function applyFrame(view: JobsView, frame: WatchJobsResponse): JobsView {
  switch (frame.body.case) {
    case 'snapshot': {
      const pages = [...(view.pages ?? []), ...frame.body.value.jobs];
      if (!frame.body.value.complete) return { ...view, pages };
      return {
        ready: true,
        jobs: new Map(pages.map((job) => [job.jobId, keepSame(view.jobs.get(job.jobId), job)])),
        pausedQueues: new Set(frame.body.value.pausedQueues),
        cursor: frame.cursor,
        pages: null,
        gone: new Map(),
      };
    }
    case 'events': {
      const { events, queues } = frame.body.value;
      const cursor = frame.cursor || view.cursor;
      return { ...applyEvents(view, events), pausedQueues: applyQueues(view, queues), cursor };
    }
    case 'bookmark':
      return { ...view, cursor: frame.cursor || view.cursor };
    case 'reset':
      return EMPTY_VIEW;
    default:
      return view; // a kind of frame that this page is too old to know
  }
}

/** The view with a job that a call returned, if that is news. */
export function mergeJob(view: JobsView, job: Job): JobsView {
  if (job.rev <= knownRev(view, job.jobId)) return view;
  return { ...view, jobs: new Map(view.jobs).set(job.jobId, job) };
}

/** The view without the first pages of a snapshot whose stream broke off. */
export function dropPages(view: JobsView): JobsView {
  return view.pages === null ? view : { ...view, pages: null };
}

function applyQueues(view: JobsView, changes: readonly QueueChange[]): ReadonlySet<string> {
  if (changes.length === 0) return view.pausedQueues;
  const paused = new Set(view.pausedQueues);
  for (const change of changes) {
    if (change.paused) paused.add(change.queue);
    else paused.delete(change.queue);
  }
  return paused;
}

function applyEvents(view: JobsView, events: readonly JobEvent[]): JobsView {
  if (events.length === 0) return view;
  const jobs = new Map(view.jobs);
  const gone = new Map(view.gone);
  for (const event of events) {
    const known = jobs.get(event.jobId)?.rev ?? gone.get(event.jobId) ?? 0n;
    if (event.rev <= known) continue;
    switch (event.event.case) {
      case 'changed':
        jobs.set(event.jobId, event.event.value);
        gone.delete(event.jobId);
        break;
      case 'progressed': {
        const job = jobs.get(event.jobId);
        if (job !== undefined) {
          jobs.set(event.jobId, { ...job, rev: event.rev, progress: event.event.value });
        }
        break;
      }
      case 'deleted':
        jobs.delete(event.jobId);
        gone.set(event.jobId, event.rev);
        break;
    }
  }
  return { ...view, jobs, gone };
}

function knownRev(view: JobsView, jobId: string): bigint {
  return view.jobs.get(jobId)?.rev ?? view.gone.get(jobId) ?? 0n;
}

/** Keeps the object that is on screen when nothing of it changed. */
function keepSame(old: Job | undefined, job: Job): Job {
  return old?.rev === job.rev ? old : job;
}
