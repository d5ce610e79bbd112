import { createRouterTransport, type Transport } from '@connectrpc/connect';
import { InferenceService } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { ModelService } from '@/gen/musicgen/api/inference/v1/model_service_pb';
import { JobService } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { QueueService } from '@/gen/musicgen/api/jobs/v1/queue_service_pb';
import { LibraryService } from '@/gen/musicgen/api/library/v1/library_service_pb';
import { MemoryEngines } from './memory-engines';
import { MemoryJobs } from './memory-jobs';
import { MemoryLibrary } from './memory-library';
import { MemoryModels } from './memory-models';
import { memoryQueues } from './memory-queues';
import { MemoryUploads } from './memory-uploads';

/** A whole studio in memory, behind the same schema as the real one. */
export interface MemoryStudio {
  readonly engines: MemoryEngines;
  readonly models: MemoryModels;
  readonly jobs: MemoryJobs;
  readonly library: MemoryLibrary;
  readonly uploads: MemoryUploads;
  readonly transport: Transport;
}

export function createMemoryStudio(): MemoryStudio {
  const engines = new MemoryEngines();
  const models = new MemoryModels();
  const jobs = new MemoryJobs();
  const library = new MemoryLibrary();
  const transport = createRouterTransport(({ service }) => {
    service(JobService, jobs.service());
    service(QueueService, memoryQueues(jobs));
    service(LibraryService, library.service());
    service(InferenceService, engines.service());
    service(ModelService, models.service());
  });
  return { engines, models, jobs, library, uploads: new MemoryUploads(), transport };
}
