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
