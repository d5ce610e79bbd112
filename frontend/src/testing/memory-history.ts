import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError } from '@connectrpc/connect';
import {
  type JobEvent,
  JobEventSchema,
  type QueueChange,
  QueueChangeSchema,
} from '@/gen/musicgen/api/jobs/v1/job_event_pb';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import {
  type WatchJobsResponse,
  WatchJobsResponseSchema,
} from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { studioError } from './memory-errors';

type Body = NonNullable<MessageInitShape<typeof WatchJobsResponseSchema>['body']>;

/** What there is to tell at one moment, for a snapshot. */
export interface Present {
  readonly jobs: readonly Job[];
  readonly pausedQueues: readonly string[];
}

/** The one event stream in memory, with the real one's rules for cursors and replay. */
export class MemoryHistory {
  readonly #entries: (JobEvent | QueueChange)[] = [];
  readonly #watchers = new Set<() => void>();
  #compactedTo = 0;
  #drops = 0;
  /** Jobs a page of a snapshot holds. */
  pageSize = 100;
  /** Streams that are open now. */
  openWatches = 0;

  tellJob(job: Pick<Job, 'jobId' | 'rev'>, event: JobEvent['event']): void {
    const { jobId, rev } = job;
    this.#add(create(JobEventSchema, { jobId, rev, time: timestampNow(), event }));
  }

  tellQueue(queue: string, paused: boolean): void {
    this.#add(create(QueueChangeSchema, { queue, paused }));
  }

  /** Forgets the history so far: older cursors are of no use any more. */
  compact(): void {
    this.#compactedTo = this.#entries.length;
  }

  /** Breaks every open stream off, as a dying server does. */
  drop(): void {
    this.#drops += 1;
    this.#wake();
  }

  async *watch(
    cursor: string,
    signal: AbortSignal,
    present: () => Present,
  ): AsyncGenerator<WatchJobsResponse> {
    if (cursor !== '' && Number(cursor) < this.#compactedTo) {
      throw studioError(Code.OutOfRange, 'WATCH_CURSOR_COMPACTED', 'The history is gone.');
    }
    this.openWatches += 1;
    const drops = this.#drops;
    try {
      let at = this.#entries.length;
      if (cursor === '') yield* this.#snapshot(at, present());
      else yield* this.#replay(Number(cursor), at);
      while (!signal.aborted) {
        if (drops !== this.#drops) throw new ConnectError('the server went away', Code.Unavailable);
        const from = at;
        at = this.#entries.length;
        if (at > from) yield this.#changes(from, at);
        else await this.#news(signal);
      }
    } finally {
      this.openWatches -= 1;
    }
  }

  *#replay(from: number, upto: number): Generator<WatchJobsResponse> {
    if (upto > from) yield this.#changes(from, upto);
    yield frame(upto, { case: 'bookmark', value: {} });
  }

  *#snapshot(at: number, { jobs, pausedQueues }: Present): Generator<WatchJobsResponse> {
    for (let from = 0; from === 0 || from < jobs.length; from += this.pageSize) {
      const complete = from + this.pageSize >= jobs.length;
      const page = { jobs: jobs.slice(from, from + this.pageSize), complete };
      const value = complete ? { ...page, pausedQueues: [...pausedQueues] } : page;
      yield frame(complete ? at : null, { case: 'snapshot', value });
    }
  }

  #changes(from: number, upto: number): WatchJobsResponse {
    const entries = this.#entries.slice(from, upto);
    const events = entries.filter((entry) => 'rev' in entry);
    const queues = entries.filter((entry) => 'paused' in entry);
    return frame(upto, { case: 'events', value: { events, queues } });
  }

  #news(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#watchers.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#watchers.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #add(entry: JobEvent | QueueChange): void {
    this.#entries.push(entry);
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#watchers]) wake();
  }
}

function frame(at: number | null, body: Body): WatchJobsResponse {
  return create(WatchJobsResponseSchema, { cursor: at === null ? '' : String(at), body });
}
