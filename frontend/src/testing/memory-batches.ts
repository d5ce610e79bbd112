import { create } from '@bufbuild/protobuf';
import { type Timestamp, timestampNow } from '@bufbuild/protobuf/wkt';
import { Code } from '@connectrpc/connect';
import { type JobBatch, JobBatchSchema } from '@/gen/musicgen/api/jobs/v1/batch_pb';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { studioError } from './memory-errors';

interface Kept {
  readonly createTime: Timestamp;
  readonly jobIds: string[];
}

/** The batches of a job service in memory. */
export class MemoryBatches {
  readonly #batches = new Map<string, Kept>();
  /** The last states of records that are gone: they are still counted. */
  readonly #gone = new Map<string, Job_State>();

  open(): string {
    const batchId = `batch${this.#batches.size + 1}`;
    this.#batches.set(batchId, { createTime: timestampNow(), jobIds: [] });
    return batchId;
  }

  add(batchId: string, jobId: string): void {
    this.#kept(batchId).jobIds.push(jobId);
  }

  gone(job: Job): void {
    this.#gone.set(job.jobId, job.state);
  }

  jobIds(batchId: string): readonly string[] {
    return this.#kept(batchId).jobIds;
  }

  get(batchId: string, jobs: ReadonlyMap<string, Job>): JobBatch {
    const { jobIds, createTime } = this.#kept(batchId);
    const states = jobIds.map((jobId) => jobs.get(jobId)?.state ?? this.#gone.get(jobId));
    const count = (state: Job_State) => states.filter((one) => one === state).length;
    const counts = {
      queued: count(Job_State.QUEUED),
      running: count(Job_State.RUNNING),
      cancelling: count(Job_State.CANCELLING),
      succeeded: count(Job_State.SUCCEEDED),
      failed: count(Job_State.FAILED),
      cancelled: count(Job_State.CANCELLED),
    };
    return create(JobBatchSchema, { batchId, size: jobIds.length, counts, createTime });
  }

  #kept(batchId: string): Kept {
    const kept = this.#batches.get(batchId);
    if (kept === undefined) {
      throw studioError(Code.NotFound, 'BATCH_NOT_FOUND', 'No such batch.');
    }
    return kept;
  }
}
