import '@/app/styles.css';
import { create } from '@bufbuild/protobuf';
import { createRoot } from 'react-dom/client';
import { App } from '@/app/app';
import { createStudio, watchWhileShown } from '@/app/studio';
import { applyKeptTheme } from '@/app/theme';
import { LyricsFinding_Severity } from '@/gen/musicgen/api/engine/v1/engine_pb';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import { Engine_State } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { type Job, Job_State, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { browserTabs, lonelyTab } from '@/watch/tabs';
import { createMemoryStudio, type MemoryStudio } from './memory-studio';
import { sampleAudio } from './sample-audio';
import { sampleLoopRecipe, sampleLoops } from './sample-loops';
import { sampleModels } from './sample-models';
import { crowd, furnishQueue } from './sample-queue';
import { sampleRecipe } from './sample-recipe';
import { READY_ENVIRONMENT, sampleSinger, sampleSongRecipe } from './sample-singer';
import { workOnEngines } from './work-on-engines';

/**
 * The page on a studio in memory: `npm run dev`, then /harness.html. It is no input of
 * the build, so nothing of it is in the product.
 * ?tabs=real joins the other tabs of this page in one watch.
 * ?scene=empty starts with nothing; ?scene=frozen leaves the work where it is;
 * ?scene=ready has the singing engine set up, with a model; ?scene=queue has a line that
 * stands still, ?scene=crowd one of 500; &paused pauses it.
 */
const query = new URLSearchParams(location.search);
const scene = query.get('scene') ?? 'busy';
const tabs = query.has('tabs') ? browserTabs() : lonelyTab();
const memory = createMemoryStudio();
if (scene === 'queue') furnishQueue(memory);
else if (scene === 'crowd') crowd(memory, 500);
else if (scene !== 'empty') furnish(memory);
if (scene === 'ready') equip(memory);
if (query.has('paused')) memory.jobs.pause('all', true);
if (scene !== 'frozen' && scene !== 'queue') workInOrder(memory);

const root = document.getElementById('root');
const audio = document.createElement('audio');
document.body.append(audio);
applyKeptTheme();
memory.uploads.pieceMs = 30;
const { transport, uploads } = memory;
const studio = createStudio({ transport, uploads: uploads.port, tabs, audio });
watchWhileShown(studio.hub);
if (root !== null) createRoot(root).render(<App studio={studio} />);

function addTrack(to: MemoryStudio, trackId: string, title: string, seconds: number, more = {}) {
  const { audio: audioPath, peaks: peaksPath } = sampleAudio(Math.min(seconds, 120), title.length);
  to.library.add({ trackId, title, audioPath, peaksPath, ...more }, seconds);
}

function submit(to: MemoryStudio, prompt: string, durationSeconds: number): string {
  const spec = create(JobSpecSchema, {
    kind: { case: 'generate', value: { parameters: { prompt, durationSeconds } } },
  });
  const before = to.jobs.jobs.length;
  void to.jobs.service().createJob?.({ spec, requestId: `made-${before}` } as never, {} as never);
  return to.jobs.jobs[before]?.jobId ?? '';
}

/** An engine that is up, a model, and words that it has something to say of. */
function equip(to: MemoryStudio): void {
  to.engines.put({ ...sampleSinger(READY_ENVIRONMENT), state: Engine_State.READY });
  to.models.install('diffrhythm-1.2-base');
}

function furnish(to: MemoryStudio): void {
  to.engines.put(sampleSinger());
  to.models.models = sampleModels();
  to.engines.checked = {
    findings: [
      {
        line: 2,
        severity: LyricsFinding_Severity.WARNING,
        code: 'runs_into_next',
        message: 'The line is too long for its 2.1 s: words may be rushed.',
        remedy: 'Give it more time, or shorten it.',
      },
      {
        line: 3,
        severity: LyricsFinding_Severity.ERROR,
        code: 'unknown_language',
        message: '“Привет” is neither English nor Chinese: it isn’t sung.',
        remedy: 'Write it in Latin letters.',
      },
    ],
    timedLyrics: '[00:10.00]Rain on the window\n[00:14.50]All through the night\n',
  };

  addTrack(to, 't1', 'Slow Harbour Lights (loop 1 h)', 3_600, {
    artist: 'Ada',
    genre: 'Ambient',
    year: 2026,
    parentTrackId: 't4',
    recipe: sampleLoopRecipe(),
  });
  addTrack(to, 't2', 'Paper Lanterns', 184, { musicalKey: 'D major', tempoBpm: 96 });
  addTrack(to, 't6', 'Rain on the window', 95, { recipe: sampleSongRecipe() });
  addTrack(to, 't3', 'Late Tram Home', 61, { musicalKey: 'A minor', tempoBpm: 104 });
  const done = submit(to, 'Warm lofi hip hop, 82 bpm, rainy night', 90);
  addTrack(to, 't4', 'Rainy Night Window', 90, {
    musicalKey: 'A minor',
    tempoBpm: 82,
    genre: 'Lofi hip hop',
    tags: ['rain', 'study'],
    recipe: sampleRecipe(),
  });
  addTrack(to, 't5', 'Rainy Night Window (new melody)', 90, {
    musicalKey: 'A dorian',
    tempoBpm: 82,
    parentTrackId: 't4',
    recipe: sampleRecipe(),
  });
  to.jobs.start(done);
  to.jobs.succeed(done, { trackIds: ['t4'] });
  const failed = submit(to, 'Orchestral march with 300 brass players', 600);
  to.jobs.start(failed);
  to.jobs.fail(failed, {
    reason: ErrorReason.OUT_OF_MEMORY,
    message: 'The machine ran out of memory while the piece was rendered.',
    remedy: 'Close other programs, or ask for a shorter piece.',
  });
  const running = submit(
    to,
    'Synthwave, 104 bpm, A minor, driving bass, bright arpeggio, neon city',
    120,
  );
  to.jobs.start(running);
  to.jobs.progress(running, {
    stage: 'rendering',
    detail: 'chorus, section 5 of 7',
    step: 7,
    steps: 12,
    fraction: 0.62,
    eta: { seconds: 14n },
  });
  for (let part = 0; part < 4; part += 1) to.jobs.preview(running, 12);
  submit(to, 'Gentle solo piano waltz, 76 bpm, melancholy', 60);
}

/** One worker a queue, that takes what comes next. */
function workInOrder(on: MemoryStudio): void {
  const busy = new Set<string>();
  setInterval(() => {
    for (const queue of new Set(on.jobs.jobs.map((job) => job.queue))) {
      const job = busy.has(queue) ? undefined : on.jobs.next(queue);
      if (job === undefined) continue;
      busy.add(queue);
      void work(on, job).finally(() => busy.delete(queue));
    }
  }, 200);
}

async function work(on: MemoryStudio, job: Job): Promise<void> {
  const kind = job.spec?.kind.case;
  if (kind === 'setupEngine' || kind === 'installModel' || kind === 'verifyModel') {
    await workOnEngines(on, job);
    return;
  }
  const short = job.spec?.kind.case === 'export' || job.spec?.kind.case === 'findLoops';
  const steps = short ? 4 : 24;
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  on.jobs.start(job.jobId);
  for (let step = 1; step <= steps; step += 1) {
    await pause(250);
    if (on.jobs.job(job.jobId).state === Job_State.CANCELLING) {
      on.jobs.cancelled(job.jobId);
      return;
    }
    const stage = step < steps / 3 ? 'composing' : 'rendering';
    const eta = step > 3 ? { eta: { seconds: BigInt(Math.ceil((steps - step) / 4)) } } : {};
    on.jobs.progress(job.jobId, { stage, step, steps, fraction: step / steps, ...eta });
  }
  if (job.spec?.kind.case === 'findLoops') {
    on.jobs.succeed(job.jobId, sampleLoops(job.jobId));
    return;
  }
  if (job.spec?.kind.case === 'export') {
    const downloads = [{ path: '/favicon.svg', fileName: 'track.svg' }];
    on.jobs.succeed(job.jobId, { downloads });
    return;
  }
  addTrack(on, `track-${job.jobId}`, 'A New Track', 60);
  on.jobs.succeed(job.jobId, { trackIds: [`track-${job.jobId}`] });
}
