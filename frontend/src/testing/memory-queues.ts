import { Code, type ServiceImpl } from '@connectrpc/connect';
import { Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { QueueService } from '@/gen/musicgen/api/jobs/v1/queue_service_pb';
import { studioError } from './memory-errors';
import type { MemoryJobs } from './memory-jobs';
import { isDelayed } from './memory-line';

const ALL = 'all';
const KNOWN = ['export', 'find_loops', 'generate.composer', 'loop'];

/** The queues of a job service in memory, behind the same schema as the real one's. */
export function memoryQueues(jobs: MemoryJobs): Partial<ServiceImpl<typeof QueueService>> {
  const names = () => [...new Set([...KNOWN, ...jobs.jobs.map((job) => job.queue)])].sort();
  const list = () => ({
    allPaused: jobs.isPaused(ALL),
    queues: names().map((queue) => {
      const line = jobs.line(queue);
      const delayed = line.filter((job) => isDelayed(job)).length;
      const held = [Job_State.RUNNING, Job_State.CANCELLING];
      return {
        queue,
        paused: jobs.isPaused(queue) || jobs.isPaused(ALL),
        waiting: line.length - delayed,
        delayed,
        running: jobs.jobs.filter((job) => job.queue === queue && held.includes(job.state)).length,
      };
    }),
  });
  const set = (method: string, request: { queue: string }, paused: boolean) => {
    jobs.enter(method, request);
    if (request.queue !== ALL && !names().includes(request.queue)) {
      throw studioError(Code.NotFound, 'QUEUE_NOT_FOUND', 'There is no such queue.');
    }
    jobs.pause(request.queue, paused);
    return list();
  };
  return {
    listQueues: list,
    pauseQueue: (request) => set('pauseQueue', request, true),
    resumeQueue: (request) => set('resumeQueue', request, false),
  };
}
