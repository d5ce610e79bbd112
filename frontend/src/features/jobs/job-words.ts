import type { Duration } from '@bufbuild/protobuf/wkt';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { lengthWords } from '@/ui/time';

/** The state in a word, for the corner of a card. */
export function stateWord(job: Job): string {
  switch (job.state) {
    case Job_State.QUEUED:
      return 'Waiting';
    case Job_State.RUNNING:
      return 'Working';
    case Job_State.CANCELLING:
      return 'Stopping';
    case Job_State.SUCCEEDED:
      return 'Done';
    case Job_State.FAILED:
      return 'Failed';
    case Job_State.CANCELLED:
      return 'Cancelled';
    default:
      return 'Unknown';
  }
}

/**
 * What is going on, in the worker's own words: "Recording: chorus, section 3 of 7". Where
 * there are none, the steps are counted.
 */
export function stageWords(job: Job): string {
  if (job.state === Job_State.QUEUED) {
    return job.attempt > 0
      ? `Waits to be tried again (${job.attempt} of ${job.maxAttempts} attempts used)`
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

/** What was asked for, beside the title: "1 min 30 s, seed 7". */
export function askedWords(job: Job): string {
  const kind = job.spec?.kind;
  if (kind?.case === 'generate') {
    const { durationSeconds = 0, seed } = kind.value.parameters ?? {};
    const parts = [kind.value.engine];
    if (durationSeconds > 0) parts.push(lengthWords(durationSeconds));
    if (seed !== undefined) parts.push(`seed ${seed}`);
    return parts.filter((part) => part !== '').join(', ');
  }
  if (kind?.case === 'loop') {
    const { extent } = kind.value;
    if (extent.case === 'lengthSeconds') return `Loop, ${lengthWords(extent.value)}`;
    if (extent.case === 'cycles') return `Loop, played ${extent.value} times`;
  }
  return '';
}
