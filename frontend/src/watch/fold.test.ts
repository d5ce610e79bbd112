import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type Job, Job_State, JobSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import {
  type WatchJobsResponse,
  WatchJobsResponseSchema,
} from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { applyFrame, dropPages, EMPTY_VIEW, type JobsView, mergeJob } from './fold';

type Init = Exclude<MessageInitShape<typeof WatchJobsResponseSchema>, WatchJobsResponse>;

function job(jobId: string, rev: bigint, state = Job_State.RUNNING): Job {
  return create(JobSchema, { jobId, rev, state });
}

const frame = (init: Init) => create(WatchJobsResponseSchema, init);

const snapshot = (jobs: Job[], cursor = '', complete = true) =>
  frame({ cursor, body: { case: 'snapshot', value: { jobs, complete } } });

const changed = (cursor: string, ...jobs: Job[]) =>
  frame({
    cursor,
    body: {
      case: 'events',
      value: {
        events: jobs.map((value) => ({
          jobId: value.jobId,
          rev: value.rev,
          event: { case: 'changed' as const, value },
        })),
      },
    },
  });

const progressed = (cursor: string, jobId: string, rev: bigint, fraction: number) =>
  frame({
    cursor,
    body: {
      case: 'events',
      value: { events: [{ jobId, rev, event: { case: 'progressed', value: { fraction } } }] },
    },
  });

const paused = (cursor: string, ...queues: { queue: string; paused: boolean }[]) =>
  frame({ cursor, body: { case: 'events', value: { queues } } });

const deleted = (cursor: string, jobId: string, rev: bigint) =>
  frame({
    cursor,
    body: {
      case: 'events',
      value: { events: [{ jobId, rev, event: { case: 'deleted', value: {} } }] },
    },
  });

const fold = (frames: readonly WatchJobsResponse[], from: JobsView = EMPTY_VIEW) =>
  frames.reduce(applyFrame, from);

describe('the fold of watch frames', () => {
  it('is ready only when all pages of the snapshot are there', () => {
    const half = fold([snapshot([job('a', 1n)], '', false)]);
    expect(half.ready).toBe(false);
    expect(half.jobs.size).toBe(0);
    const whole = fold([snapshot([job('b', 4n)], 'c9')], half);
    expect(whole.ready).toBe(true);
    expect([...whole.jobs.keys()]).toEqual(['a', 'b']);
    expect(whole.cursor).toBe('c9');
  });

  it('keeps what is on screen while a later snapshot is told in pages', () => {
    const before = fold([snapshot([job('a', 1n)], 'c1')]);
    const half = fold([snapshot([job('b', 1n)], '', false)], before);
    expect([...half.jobs.keys()]).toEqual(['a']);
    expect(half.cursor).toBe('c1');
    expect([...fold([snapshot([], 'c2')], half).jobs.keys()]).toEqual(['b']);
  });

  it('forgets the pages of a stream that broke off', () => {
    const half = fold([snapshot([job('a', 1n)], '', false)]);
    const again = fold([snapshot([job('b', 1n)], 'c1')], dropPages(half));
    expect([...again.jobs.keys()]).toEqual(['b']);
    expect(dropPages(again)).toBe(again);
  });

  it('applies an event only if its rev is news, in whatever order and how often it comes', () => {
    const begin = fold([snapshot([job('a', 2n, Job_State.QUEUED)], 'c1')]);
    const frames = [
      changed('c3', job('a', 4n, Job_State.SUCCEEDED)),
      changed('c2', job('a', 3n, Job_State.RUNNING)),
      changed('c3', job('a', 4n, Job_State.FAILED)),
    ];
    expect(fold(frames, begin).jobs.get('a')?.state).toBe(Job_State.SUCCEEDED);
  });

  it('takes a job in that it did not know', () => {
    const view = fold([snapshot([], 'c1'), changed('c2', job('new', 1n))]);
    expect(view.jobs.get('new')?.rev).toBe(1n);
    expect(view.cursor).toBe('c2');
  });

  it('patches progress, with the jumps in rev that coalescing makes', () => {
    const before = fold([snapshot([job('a', 2n)], 'c1')]);
    const view = fold([progressed('c2', 'a', 9n, 0.5)], before);
    expect(view.jobs.get('a')).toMatchObject({ rev: 9n, state: Job_State.RUNNING });
    expect(view.jobs.get('a')?.progress?.fraction).toBe(0.5);
    expect(before.jobs.get('a')?.progress).toBeUndefined();
    const late = fold([progressed('c3', 'a', 8n, 0.4)], view);
    expect(late.jobs.get('a')?.progress?.fraction).toBe(0.5);
    expect(fold([progressed('c4', 'nobody', 1n, 0.4)], late).jobs.has('nobody')).toBe(false);
  });

  it('removes a deleted job, and a late event does not bring it back', () => {
    const gone = fold([snapshot([job('a', 2n)], 'c1'), deleted('c2', 'a', 3n)]);
    expect(gone.jobs.has('a')).toBe(false);
    expect(fold([changed('c3', job('a', 2n))], gone).jobs.has('a')).toBe(false);
    expect(mergeJob(gone, job('a', 2n))).toBe(gone);
  });

  it('moves only the cursor on a bookmark', () => {
    const before = fold([snapshot([job('a', 2n)], 'c1')]);
    const after = fold([frame({ cursor: 'c7', body: { case: 'bookmark', value: {} } })], before);
    expect(after.cursor).toBe('c7');
    expect(after.jobs).toBe(before.jobs);
  });

  it('forgets everything on a reset', () => {
    const before = fold([snapshot([job('a', 2n)], 'c1')]);
    expect(fold([frame({ body: { case: 'reset', value: {} } })], before)).toEqual(EMPTY_VIEW);
  });

  it('takes the snapshot after a compaction for the truth, and keeps what is the same', () => {
    const before = fold([snapshot([job('a', 2n), job('b', 5n)], 'c1'), deleted('c2', 'x', 3n)]);
    const after = fold([snapshot([job('a', 2n), job('x', 1n)], 'c9')], before);
    expect([...after.jobs.keys()]).toEqual(['a', 'x']);
    expect(after.jobs.get('a')).toBe(before.jobs.get('a'));
    expect(after.gone.size).toBe(0);
  });

  it('merges what a call returned unless the watch was faster', () => {
    const view = mergeJob(EMPTY_VIEW, job('a', 1n, Job_State.QUEUED));
    expect(view.jobs.has('a')).toBe(true);
    const ahead = fold([changed('c1', job('a', 3n))], view);
    expect(mergeJob(ahead, job('a', 1n, Job_State.QUEUED))).toBe(ahead);
  });

  it('knows which queues are paused: from the snapshot, then from each change', () => {
    const half = frame({
      body: { case: 'snapshot', value: { jobs: [job('a', 1n)], complete: false } },
    });
    const whole = frame({
      cursor: 'c1',
      body: { case: 'snapshot', value: { complete: true, pausedQueues: ['all', 'loop'] } },
    });
    const begin = fold([half, whole]);
    expect([...begin.pausedQueues]).toEqual(['all', 'loop']);
    const changes = paused(
      'c2',
      { queue: 'all', paused: false },
      { queue: 'export', paused: true },
      { queue: 'export', paused: false },
    );
    const after = fold([changes], begin);
    expect([...after.pausedQueues]).toEqual(['loop']);
    expect(after.jobs).toBe(begin.jobs);
    expect(after.cursor).toBe('c2');
    expect(fold([changes], after).pausedQueues).toEqual(after.pausedQueues); // told twice
    expect(fold([changed('c3', job('a', 2n))], after).pausedQueues).toBe(after.pausedQueues);
    expect(fold([snapshot([], 'c9')], after).pausedQueues.size).toBe(0);
  });

  it('leaves a frame alone that it does not know', () => {
    const before = fold([snapshot([job('a', 2n)], 'c1')]);
    expect(fold([frame({ cursor: 'c2' })], before)).toBe(before);
  });
});
