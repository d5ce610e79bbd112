import { SetupEngineSpec_Action } from '@/gen/musicgen/api/inference/v1/environment_pb';
import { Model_State } from '@/gen/musicgen/api/inference/v1/model_pb';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { MemoryStudio } from './memory-studio';
import { READY_ENVIRONMENT, sampleSinger } from './sample-singer';

const STEPS = 30;
const STAGES = ['torch', 'packages', 'installing', 'testing'];
const PAUSE_MS = 250;

/** Sets up, installs and verifies as slowly as one can watch. */
export async function workOnEngines(on: MemoryStudio, job: Job): Promise<void> {
  const { jobId } = job;
  const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  const kind = job.spec?.kind;
  await pause();
  on.jobs.start(jobId);
  const total = 5_500_000_000;
  for (let step = 1; step <= STEPS; step += 1) {
    await pause();
    if (on.jobs.job(jobId).state === Job_State.CANCELLING) {
      on.jobs.cancelled(jobId);
      return;
    }
    const fraction = step / STEPS;
    const eta = { seconds: BigInt(Math.ceil((STEPS - step) / 4)) };
    const bytes = {
      doneBytes: BigInt(Math.round(total * fraction)),
      totalBytes: BigInt(total),
      bytesPerSecond: 48e6,
    };
    on.jobs.progress(
      jobId,
      kind?.case === 'setupEngine'
        ? { stage: STAGES[Math.floor(fraction * 3.9)] ?? '', detail: 'torch 2.13.0', fraction, eta }
        : { stage: 'downloading', detail: 'cfm_model.pt', fraction, eta, transfer: bytes },
    );
  }
  if (kind?.case === 'setupEngine') {
    const gone = kind.value.action === SetupEngineSpec_Action.REMOVE;
    on.engines.put(sampleSinger(gone ? {} : READY_ENVIRONMENT));
  } else if (kind?.case === 'installModel') {
    on.models.install(kind.value.model);
  } else if (kind?.case === 'verifyModel') {
    on.models.set(kind.value.model, {
      state: Model_State.CORRUPT,
      detail: 'cfm_model.pt is not what was promised',
    });
  }
  on.jobs.succeed(jobId, {});
}
