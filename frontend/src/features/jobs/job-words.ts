import { type Job, Job_Priority, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { lengthWords } from '@/ui/time';
import { attemptWords } from '@/watch/progress-words';
import type { Place } from './bench';
import { delayLeftMs } from './line';

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

/** What was asked for, beside the title: "1 min 30 s, seed 7". */
export function askedWords(job: Job): string {
  const kind = job.spec?.kind;
  if (kind?.case === 'generate') {
    const { durationSeconds = 0, seed } = kind.value.parameters ?? {};
    const parts = [kind.value.engine];
    if (durationSeconds > 0) parts.push(lengthWords(durationSeconds));
    if (seed !== undefined) parts.push(`seed ${seed}`);
    const anew = kind.value.edit?.regenerate.length ?? 0;
    if (anew > 0) parts.push(anew === 1 ? 'one part anew' : `${anew} parts anew`);
    return parts.filter((part) => part !== '').join(', ');
  }
  if (kind?.case === 'loop') {
    const { extent } = kind.value;
    if (extent.case === 'lengthSeconds') return `Loop, ${lengthWords(extent.value)}`;
    if (extent.case === 'cycles') return `Loop, played ${extent.value} times`;
  }
  return '';
}

/** What to call it where there is no room for its title. */
export function shortName(job: Job): string {
  const kind = job.spec?.kind;
  if (kind?.case === 'loop') return 'the loop';
  const prompt = kind?.case === 'generate' ? (kind.value.parameters?.prompt ?? '') : '';
  const words = prompt.length > 40 ? `${prompt.slice(0, 40).trimEnd()}…` : prompt;
  return words === '' ? 'the work' : `“${words}”`;
}

/** Where a waiting job stands: "Next in line", "Waits 4 s, then tries again (attempt 2 of 3)". */
export function waitWords(job: Job, place: Place, paused: boolean, nowMs: number): string {
  const leftMs = delayLeftMs(job, nowMs);
  const again = job.attempt > 0 ? attemptWords(job) : '';
  if (leftMs > 0) {
    return `Waits ${lengthWords(Math.ceil(leftMs / 1_000))}, then tries again (${again})`;
  }
  const stands = place.number === 1 && !paused ? 'Next in line' : `${nth(place.number)} in line`;
  return again === '' ? stands : `${stands}, ${again}`;
}

/** "1st", "2nd", "11th", "23rd". */
export function nth(number: number): string {
  const teen = number % 100 >= 11 && number % 100 <= 13;
  const ending = teen ? undefined : { 1: 'st', 2: 'nd', 3: 'rd' }[number % 10];
  return `${number}${ending ?? 'th'}`;
}

/** A queue as people call it: its engine, or what is done. */
export function queueWords(queue: string): string {
  if (queue.startsWith('generate.')) return queue.slice('generate.'.length);
  return QUEUES[queue] ?? queue.replaceAll('_', ' ');
}

const QUEUES: Readonly<Record<string, string>> = {
  loop: 'loops',
  find_loops: 'searches for loops',
  export: 'downloads',
  install_model: 'installing models',
  verify_model: 'checking models',
  setup_engine: 'setting up engines',
};

export const PRIORITIES: readonly (readonly [Job_Priority, string])[] = [
  [Job_Priority.HIGH, 'High'],
  [Job_Priority.NORMAL, 'Normal'],
  [Job_Priority.LOW, 'Low'],
];

/** "high priority"; empty for what is normal. */
export function priorityWords(job: Job): string {
  if (job.priority === Job_Priority.HIGH) return 'high priority';
  return job.priority === Job_Priority.LOW ? 'low priority' : '';
}
