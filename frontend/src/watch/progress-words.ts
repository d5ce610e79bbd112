import type { Duration } from '@bufbuild/protobuf/wkt';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { Transfer } from '@/gen/musicgen/api/progress/v1/progress_pb';
import { sizeWords } from '@/ui/size';
import { lengthWords } from '@/ui/time';

/**
 * What is going on, in the worker's own words: "Recording: chorus, section 3 of 7". Where
 * there are none, the steps are counted.
 */
export function stageWords(job: Job): string {
  if (job.state === Job_State.QUEUED) {
    return job.attempt > 0
      ? `Waits, then tries again (${attemptWords(job)})`
      : 'Waits for a worker';
  }
  if (job.state === Job_State.CANCELLING) return 'Stopping';
  const progress = job.progress;
  if (progress === undefined || progress.stage === '') return 'Starting';
  const stage = progress.stage.replaceAll('_', ' ');
  const named = stage.charAt(0).toUpperCase() + stage.slice(1);
  if (progress.detail !== '') return `${named}: ${progress.detail}`;
  return progress.steps > 1 ? `${named} (${progress.step} of ${progress.steps})` : named;
}

/** The attempt that comes next: "attempt 2 of 3". */
export function attemptWords(job: Job): string {
  return `attempt ${job.attempt + 1} of ${job.maxAttempts}`;
}

/** Why the last attempt came to nothing, while the next one is awaited. */
export function setbackWords(job: Job): string {
  return job.state === Job_State.QUEUED && job.attempt > 0 ? (job.error?.message ?? '') : '';
}

/** The share done, 0 to 1; undefined while nothing was measured. */
export function fractionOf(job: Job): number | undefined {
  const fraction = job.progress?.fraction;
  return fraction === undefined ? undefined : Math.min(1, Math.max(0, fraction));
}

/** "About 12 s left", only from a measured time. */
export function etaWords(eta: Duration | undefined): string | undefined {
  if (eta === undefined) return undefined;
  const seconds = Number(eta.seconds) + eta.nanos / 1e9;
  return seconds < 1 ? 'Almost done' : `About ${lengthWords(Math.ceil(seconds))} left`;
}

/** "1.2 GB of 7.9 GB, 24.0 MB/s", where bytes are moved; empty elsewhere. */
export function transferWords(transfer: Transfer | undefined): string {
  if (transfer === undefined) return '';
  const [done, total] = [Number(transfer.doneBytes), Number(transfer.totalBytes)];
  const { bytesPerSecond } = transfer;
  const amount = total > 0 ? `${sizeWords(done)} of ${sizeWords(total)}` : sizeWords(done);
  return bytesPerSecond > 0 ? `${amount}, ${sizeWords(bytesPerSecond)}/s` : amount;
}
