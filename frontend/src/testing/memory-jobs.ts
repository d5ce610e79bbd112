import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromMs, timestampNow } from '@bufbuild/protobuf/wkt';
import { Code, type ConnectError, type ServiceImpl } from '@connectrpc/connect';
import { AudioFormat, PreviewSchema } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { ErrorSchema } from '@/gen/musicgen/api/errors/v1/error_pb';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import {
  type Attempt,
  AttemptSchema,
  type Job,
  type Job_Priority,
  Job_State,
  JobResultSchema,
  JobSchema,
  type JobSpec,
} from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { JobService } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { ProgressSchema } from '@/gen/musicgen/api/progress/v1/progress_pb';
import { MemoryBatches } from './memory-batches';
import { invalidField, studioError } from './memory-errors';
import { MemoryHistory } from './memory-history';
import { asked, isDelayed, lineOf, moved, queueOf, SPACING } from './memory-line';

const ENDED: readonly Job_State[] = [Job_State.SUCCEEDED, Job_State.FAILED, Job_State.CANCELLED];

/**
 * A job service in memory with the real one's rules for revs, ranks, batches and watches.
 * The work itself is done by whoever holds it: progress(), succeed(), fail().
 */
export class MemoryJobs {
  readonly #jobs = new Map<string, Job>();
  readonly #requests = new Map<string, string>();
  readonly #paused = new Set<string>();
  readonly #batches = new MemoryBatches();
  /** When the present attempts were claimed. */
  readonly #claims = new Map<string, Timestamp>();
  #accepted = 0;
  #lastRank = 0n;
  readonly history = new MemoryHistory();
  /** Calls that came, by method. */
  readonly calls: { method: string; request: unknown }[] = [];
  /** Thrown by the next call of this method. */
  readonly failNext = new Map<string, ConnectError>();
  /** Called when a job was accepted. */
  onAccepted: (job: Job) => void = () => {};

  get jobs(): readonly Job[] {
    return [...this.#jobs.values()];
  }

  get openWatches(): number {
    return this.history.openWatches;
  }

  job(jobId: string): Job {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw studioError(Code.NotFound, 'JOB_NOT_FOUND', 'No such job.');
    return job;
  }

  /** What waits in a queue, in the order in which it starts. */
  line(queue: string): Job[] {
    return lineOf(this.#jobs.values(), queue);
  }

  /** What a worker of this queue would take now. */
  next(queue: string): Job | undefined {
    if (this.#paused.has('all') || this.#paused.has(queue)) return undefined;
    return this.line(queue).find((job) => !isDelayed(job));
  }

  pause(queue: string, paused: boolean): void {
    if (this.#paused.has(queue) === paused) return;
    if (paused) this.#paused.add(queue);
    else this.#paused.delete(queue);
    this.history.tellQueue(queue, paused);
  }

  isPaused(queue: string): boolean {
    return this.#paused.has(queue);
  }

  start(jobId: string): void {
    const { attempt, startTime = timestampNow() } = this.job(jobId);
    this.#without(jobId, 'notBeforeTime');
    this.#claims.set(jobId, timestampNow());
    this.#change(jobId, { state: Job_State.RUNNING, attempt: attempt + 1, startTime });
  }

  progress(jobId: string, progress: MessageInitShape<typeof ProgressSchema>): void {
    const job = this.job(jobId);
    const value = create(ProgressSchema, progress);
    const next = { ...job, rev: job.rev + 1n, progress: value };
    this.#jobs.set(jobId, next);
    this.history.tellJob(next, { case: 'progressed', value });
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
      attempts: this.#over(jobId, error),
    });
  }

  /** Its worker has stopped, as asked. */
  cancelled(jobId: string): void {
    this.#change(jobId, {
      state: Job_State.CANCELLED,
      previews: [],
      endTime: timestampNow(),
      attempts: this.#over(jobId, {
        reason: ErrorReason.CANCELLED,
        message: 'The job was cancelled.',
      }),
    });
  }

  /** The attempt came to nothing; the next one is awaited. */
  requeue(jobId: string, error: MessageInitShape<typeof ErrorSchema>, delaySeconds = 0): void {
    const attempts = this.#over(jobId, error);
    this.#without(jobId, 'progress');
    this.#change(jobId, {
      state: Job_State.QUEUED,
      previews: [],
      error: create(ErrorSchema, error),
      attempts,
      ...(delaySeconds > 0
        ? { notBeforeTime: timestampFromMs(Date.now() + delaySeconds * 1_000) }
        : {}),
    });
  }

  /** Its worker was asked to stop: the attempt doesn't count. */
  giveBack(jobId: string): void {
    const attempts = this.#over(jobId);
    this.#without(jobId, 'progress');
    const attempt = this.job(jobId).attempt - 1;
    this.#change(jobId, { state: Job_State.QUEUED, previews: [], attempt, attempts });
  }

  service(): Partial<ServiceImpl<typeof JobService>> {
    return {
      createJob: (request) => {
        this.enter('createJob', request);
        return { job: this.#accept(request.spec, request.requestId, asked(request.priority)) };
      },
      batchCreateJobs: (request) => {
        this.enter('batchCreateJobs', request);
        const { requestId, requests } = request;
        const known = requestId === '' ? undefined : this.#requests.get(requestId);
        const batchId = known ?? this.#batches.open();
        if (known === undefined) {
          if (requests.length < 1 || requests.length > 500) {
            throw invalidField('requests', 'must be 1 to 500 requests');
          }
          for (const [index, { spec }] of requests.entries()) check(spec, `requests[${index}].`);
          if (requestId !== '') this.#requests.set(requestId, batchId);
          for (const { spec, priority } of requests) {
            const job = this.#accept(spec, '', asked(priority), { batchId });
            this.#batches.add(batchId, job.jobId);
          }
        }
        const batch = this.#batches.get(batchId, this.#jobs);
        return { batch, jobIds: [...this.#batches.jobIds(batchId)] };
      },
      getJob: (request) => ({ job: this.job(request.jobId) }),
      cancelJob: (request) => {
        this.enter('cancelJob', request);
        if (ENDED.includes(this.job(request.jobId).state)) {
          const reason = 'JOB_ALREADY_TERMINAL';
          throw studioError(Code.FailedPrecondition, reason, 'The job has ended.');
        }
        return { job: this.#cancel(request.jobId) };
      },
      moveJob: (request) => {
        this.enter('moveJob', request);
        const before = this.job(request.jobId);
        const changed = moved(this.#jobs, request, () => this.#newRank());
        for (const { jobId, rank, priority } of changed) {
          const old = this.job(jobId);
          if (old.rank !== rank || old.priority !== priority) {
            this.#change(jobId, { rank, priority });
          }
        }
        return { job: this.job(before.jobId) };
      },
      getJobBatch: ({ batchId }) => ({ batch: this.#batches.get(batchId, this.#jobs) }),
      cancelJobBatch: (request) => {
        this.enter('cancelJobBatch', request);
        const { batchId } = request;
        for (const jobId of this.#batches.jobIds(batchId)) {
          const state = this.#jobs.get(jobId)?.state;
          if (state !== undefined && !ENDED.includes(state)) this.#cancel(jobId);
        }
        return { batch: this.#batches.get(batchId, this.#jobs) };
      },
      retryJob: (request) => {
        this.enter('retryJob', request);
        const { spec, jobId, priority } = this.job(request.jobId);
        return { job: this.#accept(spec, request.requestId, priority, { retryOf: jobId }) };
      },
      deleteJob: (request) => {
        this.enter('deleteJob', request);
        const job = this.job(request.jobId);
        if (!ENDED.includes(job.state)) {
          throw studioError(Code.FailedPrecondition, 'JOB_NOT_TERMINAL', 'The job has not ended.');
        }
        this.#jobs.delete(job.jobId);
        this.#batches.gone(job);
        this.history.tellJob(
          { ...job, rev: job.rev + 1n },
          { case: 'deleted', value: { $typeName: 'musicgen.api.jobs.v1.JobDeleted' } },
        );
        return {};
      },
      watchJobs: (request, context) => {
        this.enter('watchJobs', { cursor: request.cursor });
        return this.history.watch(request.cursor, context.signal, () => ({
          jobs: this.jobs,
          pausedQueues: [...this.#paused].sort(),
        }));
      },
    };
  }

  #accept(
    spec: JobSpec | undefined,
    requestId: string,
    priority: Job_Priority,
    more: { retryOf?: string; batchId?: string } = {},
  ): Job {
    const known = requestId === '' ? undefined : this.#requests.get(requestId);
    if (known !== undefined) return this.job(known);
    check(spec);
    this.#accepted += 1;
    const jobId = `job${this.#accepted}`;
    if (requestId !== '') this.#requests.set(requestId, jobId);
    const filled = spec === undefined ? undefined : withDefaults(spec);
    const job = create(JobSchema, {
      jobId,
      rev: 1n,
      state: Job_State.QUEUED,
      maxAttempts: 3,
      createTime: timestampNow(),
      updateTime: timestampNow(),
      priority,
      rank: this.#newRank(),
      queue: queueOf(filled),
      ...more,
      ...(filled === undefined ? {} : { spec: filled }),
    });
    this.#jobs.set(jobId, job);
    this.history.tellJob(job, { case: 'changed', value: job });
    this.onAccepted(job);
    return job;
  }

  #newRank(): bigint {
    this.#lastRank += SPACING;
    return this.#lastRank;
  }

  #cancel(jobId: string): Job {
    const waits = this.job(jobId).state === Job_State.QUEUED;
    this.#change(
      jobId,
      waits
        ? { state: Job_State.CANCELLED, endTime: timestampNow() }
        : { state: Job_State.CANCELLING },
    );
    return this.job(jobId);
  }

  /** The attempts of a job once the present one is over; one without an error was given back. */
  #over(jobId: string, error?: MessageInitShape<typeof ErrorSchema>): Attempt[] {
    const { state, attempt, attempts } = this.job(jobId);
    if (state !== Job_State.RUNNING && state !== Job_State.CANCELLING) return attempts;
    const over = create(AttemptSchema, {
      attempt,
      worker: 'worker-1',
      startTime: this.#claims.get(jobId) ?? timestampNow(),
      endTime: timestampNow(),
      ...(error === undefined ? {} : { error: create(ErrorSchema, error) }),
    });
    return [...attempts, over];
  }

  #without(jobId: string, field: 'progress' | 'notBeforeTime'): void {
    const { [field]: _gone, ...job } = this.job(jobId);
    this.#jobs.set(jobId, job);
  }

  #change(jobId: string, part: Partial<Job>): void {
    const job = this.job(jobId);
    const next = { ...job, ...part, rev: job.rev + 1n, updateTime: timestampNow() };
    this.#jobs.set(jobId, next);
    this.history.tellJob(next, { case: 'changed', value: next });
  }

  /** A call comes: noted, and refused if that was wished for. */
  enter(method: string, request: unknown): void {
    this.calls.push({ method, request });
    const refused = this.failNext.get(method);
    this.failNext.delete(method);
    if (refused !== undefined) throw refused;
  }
}

function check(spec: JobSpec | undefined, at = ''): void {
  if (spec?.kind.case === 'generate') {
    const { prompt = '', durationSeconds = 0 } = spec.kind.value.parameters ?? {};
    if (prompt.trim() === '' || [...prompt].length > 2_000) {
      throw studioError(
        Code.InvalidArgument,
        'INVALID_PROMPT',
        prompt.trim() === '' ? 'The prompt is empty.' : 'The prompt is too long.',
        'Describe the music in 1 to 2,000 characters.',
        { [`${at}spec.generate.parameters.prompt`]: 'must have 1 to 2,000 characters' },
      );
    }
    if (durationSeconds < 0) {
      throw invalidField(`${at}spec.generate.parameters.duration_seconds`, 'must not be negative');
    }
  }
  if (spec?.kind.case === 'loop') {
    const { extent, points } = spec.kind.value;
    if (extent.case === 'cycles' ? extent.value < 1 : !((extent.value ?? 0) >= 60)) {
      throw extent.case === 'cycles'
        ? invalidField(`${at}spec.loop.cycles`, 'must be from 1 to 100000')
        : invalidField(`${at}spec.loop.length_seconds`, 'must be 60 to 36,000');
    }
    if (points !== undefined && points.startFrame >= points.endFrame) {
      throw invalidField(`${at}spec.loop.points`, 'must satisfy 0 <= start_frame < end_frame');
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
