import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { AudioFormat, PreviewSchema } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { ErrorSchema } from '@/gen/musicgen/api/errors/v1/error_pb';
import { type JobEvent, JobEventSchema } from '@/gen/musicgen/api/jobs/v1/job_event_pb';
import {
  type Job,
  Job_State,
  JobResultSchema,
  JobSchema,
  type JobSpec,
} from '@/gen/musicgen/api/jobs/v1/job_pb';
import {
  type JobService,
  type WatchJobsResponse,
  WatchJobsResponseSchema,
} from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { ProgressSchema } from '@/gen/musicgen/api/progress/v1/progress_pb';
import { invalidField, studioError } from './memory-errors';

type Body = NonNullable<MessageInitShape<typeof WatchJobsResponseSchema>['body']>;

/**
 * A job service in memory with the real one's rules for revs, cursors, snapshots and
 * replay. The work itself is done by whoever holds it: progress(), succeed(), fail().
 */
export class MemoryJobs {
  readonly #jobs = new Map<string, Job>();
  readonly #requests = new Map<string, string>();
  readonly #history: JobEvent[] = [];
  readonly #watchers = new Set<() => void>();
  #compactedTo = 0;
  #drops = 0;
  /** Jobs a page of a snapshot holds. */
  pageSize = 100;
  /** Calls that came, by method. */
  readonly calls: { method: string; request: unknown }[] = [];
  /** Streams that are open now. */
  openWatches = 0;
  /** Thrown by the next call of this method. */
  readonly failNext = new Map<string, ConnectError>();
  /** Called when a job was accepted. */
  onAccepted: (job: Job) => void = () => {};

  get jobs(): readonly Job[] {
    return [...this.#jobs.values()];
  }

  job(jobId: string): Job {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw studioError(Code.NotFound, 'JOB_NOT_FOUND', 'No such job.');
    return job;
  }

  start(jobId: string): void {
    this.#change(jobId, { state: Job_State.RUNNING, attempt: this.job(jobId).attempt + 1 });
  }

  progress(jobId: string, progress: MessageInitShape<typeof ProgressSchema>): void {
    const job = this.job(jobId);
    const value = create(ProgressSchema, progress);
    const next = { ...job, rev: job.rev + 1n, progress: value };
    this.#jobs.set(jobId, next);
    this.#tell(next, { case: 'progressed', value });
  }

  /** A stretch more of what is being made can be heard. */
  preview(jobId: string, seconds: number, key?: string): void {
    const { previews, attempt } = this.job(jobId);
    const startFrame = previews.reduce(
      (end, { artifact }) => end + (artifact?.audio?.durationFrames ?? 0n),
      0n,
    );
    const preview = create(PreviewSchema, {
      startFrame,
      artifact: {
        key: key ?? `artifacts/${jobId}/${attempt}/preview-${previews.length}.flac`,
        mediaType: 'audio/flac',
        audio: {
          format: AudioFormat.FLAC,
          sampleRateHz: 44_100,
          channels: 2,
          durationFrames: BigInt(Math.round(seconds * 44_100)),
        },
      },
    });
    this.#change(jobId, { previews: [...previews, preview] });
  }

  succeed(jobId: string, result: MessageInitShape<typeof JobResultSchema>): void {
    this.#change(jobId, {
      state: Job_State.SUCCEEDED,
      previews: [],
      result: create(JobResultSchema, result),
      endTime: timestampNow(),
    });
  }

  fail(jobId: string, error: MessageInitShape<typeof ErrorSchema>): void {
    this.#change(jobId, {
      state: Job_State.FAILED,
      previews: [],
      error: create(ErrorSchema, error),
      endTime: timestampNow(),
    });
  }

  /** Its worker has stopped, as asked. */
  cancelled(jobId: string): void {
    this.#change(jobId, { state: Job_State.CANCELLED, previews: [], endTime: timestampNow() });
  }

  /** The attempt came to nothing; the next one is awaited. */
  requeue(jobId: string, error: MessageInitShape<typeof ErrorSchema>): void {
    const { progress: _old, ...job } = this.job(jobId);
    this.#jobs.set(jobId, job);
    this.#change(jobId, {
      state: Job_State.QUEUED,
      attempt: job.attempt + 1,
      previews: [],
      error: create(ErrorSchema, error),
    });
  }

  /** Forgets the history so far: older cursors are of no use any more. */
  compact(): void {
    this.#compactedTo = this.#history.length;
  }

  /** Breaks every open stream off, as a dying server does. */
  drop(): void {
    this.#drops += 1;
    this.#wake();
  }

  service(): Partial<ServiceImpl<typeof JobService>> {
    return {
      createJob: (request) => {
        this.#enter('createJob', request);
        return { job: this.#accept(request.spec, request.requestId) };
      },
      getJob: (request) => ({ job: this.job(request.jobId) }),
      cancelJob: (request) => {
        this.#enter('cancelJob', request);
        const state =
          this.job(request.jobId).state === Job_State.QUEUED
            ? Job_State.CANCELLED
            : Job_State.CANCELLING;
        return { job: this.#change(request.jobId, { state }) };
      },
      retryJob: (request) => {
        this.#enter('retryJob', request);
        const { spec, jobId } = this.job(request.jobId);
        return { job: this.#accept(spec, request.requestId, jobId) };
      },
      deleteJob: (request) => {
        this.#enter('deleteJob', request);
        const job = this.job(request.jobId);
        this.#jobs.delete(job.jobId);
        this.#tell(
          { ...job, rev: job.rev + 1n },
          { case: 'deleted', value: { $typeName: 'musicgen.api.jobs.v1.JobDeleted' } },
        );
        return {};
      },
      watchJobs: (request, context) => this.#watch(request.cursor, context.signal),
    };
  }

  async *#watch(cursor: string, signal: AbortSignal): AsyncGenerator<WatchJobsResponse> {
    this.calls.push({ method: 'watchJobs', request: { cursor } });
    const refused = this.failNext.get('watchJobs');
    this.failNext.delete('watchJobs');
    if (refused !== undefined) throw refused;
    if (cursor !== '' && Number(cursor) < this.#compactedTo) {
      throw studioError(Code.OutOfRange, 'WATCH_CURSOR_COMPACTED', 'The history is gone.');
    }
    this.openWatches += 1;
    const drops = this.#drops;
    try {
      let at = this.#history.length;
      if (cursor === '') yield* this.#snapshot(at);
      else yield* this.#replay(Number(cursor), at);
      while (!signal.aborted) {
        if (drops !== this.#drops) throw new ConnectError('the server went away', Code.Unavailable);
        const events = this.#history.slice(at);
        at = this.#history.length;
        if (events.length > 0) yield frame(at, { case: 'events', value: { events } });
        else await this.#news(signal);
      }
    } finally {
      this.openWatches -= 1;
    }
  }

  *#replay(from: number, upto: number): Generator<WatchJobsResponse> {
    const events = this.#history.slice(from, upto);
    if (events.length > 0) yield frame(upto, { case: 'events', value: { events } });
    yield frame(upto, { case: 'bookmark', value: {} });
  }

  *#snapshot(at: number): Generator<WatchJobsResponse> {
    const jobs = this.jobs;
    for (let from = 0; from === 0 || from < jobs.length; from += this.pageSize) {
      const complete = from + this.pageSize >= jobs.length;
      const page = { jobs: jobs.slice(from, from + this.pageSize), complete };
      yield frame(complete ? at : null, { case: 'snapshot', value: page });
    }
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

  #accept(spec: JobSpec | undefined, requestId: string, retryOf = ''): Job {
    const known = requestId === '' ? undefined : this.#requests.get(requestId);
    if (known !== undefined) return this.job(known);
    check(spec);
    const jobId = `job${this.#requests.size + this.#jobs.size + 1}`;
    if (requestId !== '') this.#requests.set(requestId, jobId);
    const job = create(JobSchema, {
      jobId,
      rev: 1n,
      state: Job_State.QUEUED,
      maxAttempts: 3,
      createTime: timestampNow(),
      retryOf,
      ...(spec === undefined ? {} : { spec: withDefaults(spec) }),
    });
    this.#jobs.set(jobId, job);
    this.#tell(job, { case: 'changed', value: job });
    this.onAccepted(job);
    return job;
  }

  #change(jobId: string, part: Partial<Job>): Job {
    const job = this.job(jobId);
    const next = { ...job, ...part, rev: job.rev + 1n };
    this.#jobs.set(jobId, next);
    this.#tell(next, { case: 'changed', value: next });
    return next;
  }

  #tell(job: Pick<Job, 'jobId' | 'rev'>, event: JobEvent['event']): void {
    const { jobId, rev } = job;
    this.#history.push(create(JobEventSchema, { jobId, rev, time: timestampNow(), event }));
    this.#wake();
  }

  #wake(): void {
    for (const wake of [...this.#watchers]) wake();
  }

  #enter(method: string, request: unknown): void {
    this.calls.push({ method, request });
    const refused = this.failNext.get(method);
    this.failNext.delete(method);
    if (refused !== undefined) throw refused;
  }
}

function frame(at: number | null, body: Body): WatchJobsResponse {
  return create(WatchJobsResponseSchema, { cursor: at === null ? '' : String(at), body });
}

function check(spec: JobSpec | undefined): void {
  if (spec?.kind.case === 'generate') {
    const { prompt = '', durationSeconds = 0 } = spec.kind.value.parameters ?? {};
    if (prompt.trim() === '' || [...prompt].length > 2_000) {
      throw studioError(
        Code.InvalidArgument,
        'INVALID_PROMPT',
        prompt.trim() === '' ? 'The prompt is empty.' : 'The prompt is too long.',
        'Describe the music in 1 to 2,000 characters.',
        { 'spec.generate.parameters.prompt': 'must have 1 to 2,000 characters' },
      );
    }
    if (durationSeconds < 0) {
      throw invalidField('spec.generate.parameters.duration_seconds', 'must not be negative');
    }
  }
  if (spec?.kind.case === 'loop') {
    const { extent, points } = spec.kind.value;
    if (extent.case === 'cycles' ? extent.value < 1 : !((extent.value ?? 0) >= 60)) {
      throw extent.case === 'cycles'
        ? invalidField('spec.loop.cycles', 'must be from 1 to 100000')
        : invalidField('spec.loop.length_seconds', 'must be 60 to 36,000');
    }
    if (points !== undefined && points.startFrame >= points.endFrame) {
      throw invalidField('spec.loop.points', 'must satisfy 0 <= start_frame < end_frame');
    }
  }
}

/** Fills in what the real service fills in: engine, length and a seed. */
function withDefaults(spec: JobSpec): JobSpec {
  if (spec.kind.case !== 'generate') return spec;
  const value = spec.kind.value;
  const parameters = value.parameters;
  if (parameters === undefined) return spec;
  const filled = {
    ...value,
    engine: value.engine || 'composer',
    parameters: { ...parameters, seed: parameters.seed ?? 1_234_567 },
  };
  return { ...spec, kind: { case: 'generate', value: filled } };
}
