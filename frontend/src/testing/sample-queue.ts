import { create } from '@bufbuild/protobuf';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import { Job_Priority, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { MemoryStudio } from './memory-studio';

const PROMPTS = [
  'Gentle solo piano waltz, 76 bpm, melancholy',
  'Deep house, 122 bpm, warm pads, late night drive',
  'Chiptune adventure, bright arpeggios, 150 bpm',
  'Slow ambient drone for sleep, no drums, very soft',
];

/** A piece that is asked for. */
function specOf(prompt: string, engine = 'composer') {
  const value = { engine, parameters: { prompt, durationSeconds: 60 } };
  return create(JobSpecSchema, { kind: { case: 'generate', value } });
}

/** Asks for a piece; returns its job. */
export function ask(to: MemoryStudio, prompt: string, more: AskMore = {}): string {
  const { priority = Job_Priority.NORMAL, engine } = more;
  const request = { spec: specOf(prompt, engine), requestId: '', priority };
  void to.jobs.service().createJob?.(request as never, {} as never);
  return to.jobs.jobs.at(-1)?.jobId ?? '';
}

interface AskMore {
  readonly priority?: Job_Priority;
  readonly engine?: string;
}

/** Asks for pieces as one batch; returns their jobs. */
export function askBatch(
  to: MemoryStudio,
  prompts: readonly string[],
  priority = Job_Priority.NORMAL,
): string[] {
  const before = to.jobs.jobs.length;
  const requests = prompts.map((prompt) => ({ spec: specOf(prompt), priority }));
  void to.jobs.service().batchCreateJobs?.({ requests, requestId: '' } as never, {} as never);
  return to.jobs.jobs.slice(before).map(({ jobId }) => jobId);
}

/** A line with all that can stand in one. */
export function furnishQueue(to: MemoryStudio): void {
  const { jobs } = to;
  const crash = {
    reason: ErrorReason.ENGINE_CRASHED,
    message: 'The engine crashed while the piece was rendered.',
    remedy: 'It is tried again by itself.',
  };
  const poison = ask(to, 'Orchestral march with 300 brass players', { engine: 'diffrhythm' });
  for (let attempt = 1; attempt <= 3; attempt += 1) {
    jobs.start(poison);
    if (attempt < 3) jobs.requeue(poison, crash);
    else jobs.fail(poison, { ...crash, remedy: 'Ask for a shorter piece.' });
  }
  const [one = '', two = '', ...rest] = askBatch(
    to,
    Array.from({ length: 12 }, (_, index) => `Sketch ${index + 1}: lofi, 78 bpm, rain`),
    Job_Priority.LOW,
  );
  for (const jobId of [one, two, ...rest.slice(0, 3)]) {
    jobs.start(jobId);
    if (jobId === two) jobs.fail(jobId, crash);
    else jobs.succeed(jobId, { trackIds: [] });
  }
  const running = ask(to, 'Synthwave, 104 bpm, A minor, driving bass, bright arpeggio, neon city');
  jobs.start(running);
  const detail = 'chorus, section 5 of 7';
  jobs.progress(running, { stage: 'rendering', detail, fraction: 0.62, eta: { seconds: 14n } });
  for (const prompt of PROMPTS) ask(to, prompt);
  const hurried = ask(to, 'Jingle for a podcast, 8 bars', { priority: Job_Priority.HIGH });
  jobs.start(hurried);
  jobs.requeue(hurried, crash, 40);
  askBatch(
    to,
    Array.from({ length: 3 }, () => 'Warm lofi hip hop, 82 bpm, rainy night'),
  );
  ask(to, 'Bossa nova for a small café, nylon guitar');
  ask(to, 'Song with a chorus about the sea', { engine: 'diffrhythm' });
}

/** So many that wait. */
export function crowd(to: MemoryStudio, count: number): void {
  for (let index = 0; index < count; index += 1) {
    ask(to, `${PROMPTS[index % PROMPTS.length]}, number ${index + 1}`);
  }
}
