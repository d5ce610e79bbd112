import type { JobActions, Move } from '@/calls/use-job-actions';
import type { Job, Job_Priority } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsStore } from '@/watch/react';
import { blocksOf } from './bench';
import { useBenchTools } from './bench-context';
import { nth, shortName } from './job-words';
import { linesOf, moveBefore, moveFirst } from './line';

export interface Moves {
  readonly up: () => void;
  readonly down: () => void;
  readonly first: () => void;
  /** Right before this job, which waits in the same line; null: to the end. */
  readonly before: (jobId: string | null) => Promise<void>;
  readonly setPriority: (priority: Job_Priority) => void;
}

/** Puts a waiting job elsewhere in its line, as that is when it is asked for. */
export function useMoves(job: Job, actions: JobActions, inBatch: boolean): Moves {
  const store = useJobsStore();
  const { say } = useBenchTools();
  const line = () => lineOf(store.view.jobs.values(), job.queue);
  const move = async (to: Move | null) => {
    if (to === null) return;
    const moved = await actions.move(to);
    if (moved === undefined) return;
    const now = line();
    const at = now.findIndex(({ jobId }) => jobId === job.jobId) + 1;
    if (at > 0) say(`${shortName(job)} is ${nth(at)} of ${now.length} in line`);
  };
  /** The job itself as it now is, and the blocks that it can step over. */
  const look = () => {
    const jobs = line();
    const blocks = blocksOf(jobs, { has: (batchId) => !inBatch && batchId !== '' });
    const at = blocks.findIndex((block) => block.some(({ jobId }) => jobId === job.jobId));
    return { jobs, blocks, at, self: jobs.find(({ jobId }) => jobId === job.jobId) ?? job };
  };
  return {
    up: () => {
      const { jobs, blocks, at, self } = look();
      const above = blocks[at - 1];
      if (above !== undefined) void move(moveBefore(jobs, self, above[0].jobId));
    },
    down: () => {
      const { jobs, blocks, at, self } = look();
      if (blocks[at + 1] === undefined) return;
      void move(moveBefore(jobs, self, blocks[at + 2]?.[0].jobId ?? null));
    },
    first: () => {
      const { jobs, self } = look();
      void move(moveFirst(jobs, self));
    },
    before: (jobId) => {
      const { jobs, self } = look();
      return move(moveBefore(jobs, self, jobId));
    },
    setPriority: (priority) => void move({ priority }),
  };
}

function lineOf(jobs: Iterable<Job>, queue: string): readonly Job[] {
  return linesOf(jobs).find((line) => line.queue === queue)?.jobs ?? [];
}
