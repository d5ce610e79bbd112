import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { type Job, Job_Priority, Job_State, JobSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { layOut } from './bench';
import { nth, waitWords } from './job-words';
import { delayLeftMs, linesOf, moveBefore, moveFirst } from './line';

const { HIGH, NORMAL, LOW } = Job_Priority;
const QUEUE = 'generate.composer';

function job(jobId: string, rank: number, more: Partial<Job> = {}): Job {
  const base = { jobId, state: Job_State.QUEUED, queue: QUEUE, rank: BigInt(rank) };
  return { ...create(JobSchema, { ...base, priority: NORMAL, maxAttempts: 3 }), ...more };
}

const ids = (jobs: readonly Job[]) => jobs.map(({ jobId }) => jobId).join('');
const lay = (jobs: readonly Job[], shown = new Map<string, number>()) => layOut(jobs, 0, shown);

describe('a line', () => {
  it('has the most urgent first, then the smallest rank; each queue its own', () => {
    const lines = linesOf([
      job('d', 1, { priority: LOW }),
      job('c', 9),
      job('x', 2, { queue: 'loop' }),
      job('b', 3),
      job('a', 20, { priority: HIGH }),
      job('r', 0, { state: Job_State.RUNNING }),
    ]);
    expect(lines.map(({ queue, jobs }) => `${queue} ${ids(jobs)}`)).toEqual([
      `${QUEUE} abcd`,
      'loop x',
    ]);
  });

  it('takes a job beside another of its own priority wherever that is possible', () => {
    const line = [job('a', 1), job('b', 2), job('c', 3), job('d', 4, { priority: LOW })];
    const [a, b, c] = line as [Job, Job, Job];
    const to = (one: Job, beforeId: string | null) => moveBefore(line, one, beforeId)?.place;
    expect(to(c, 'a')).toEqual({ case: 'beforeJobId', value: 'a' });
    expect(to(a, 'd')).toEqual({ case: 'afterJobId', value: 'c' });
    expect(to(b, 'b')).toBeUndefined();
    expect(to(b, 'c')).toBeUndefined(); // there it is
  });

  it('makes a job that is put among others as urgent as they are', () => {
    const line = [
      job('a', 1, { priority: HIGH }),
      job('b', 2, { priority: HIGH }),
      job('c', 3),
      job('d', 4, { priority: LOW }),
    ];
    const [a, , c] = line as [Job, Job, Job];
    expect(moveBefore(line, c, 'b')).toEqual({
      priority: HIGH,
      place: { case: 'beforeJobId', value: 'b' },
    });
    expect(moveBefore(line, a, null)).toEqual({
      priority: LOW,
      place: { case: 'afterJobId', value: 'd' },
    });
    expect(moveFirst(line, c)).toEqual({ priority: HIGH, place: { case: 'first', value: true } });
    expect(moveFirst(line, a)).toBeNull();
  });

  it('knows how long a delay lasts, whatever this clock says', () => {
    const waits = job('a', 1, {
      notBeforeTime: timestampFromMs(50_000),
      updateTime: timestampFromMs(46_000),
    });
    expect(delayLeftMs(waits, 48_500)).toBe(1_500);
    expect(delayLeftMs(waits, 10_000)).toBe(4_000);
    expect(delayLeftMs(waits, 60_000)).toBe(0);
  });

  it('is told in words', () => {
    const waits = job('a', 1, {
      attempt: 1,
      notBeforeTime: timestampFromMs(50_000),
      updateTime: timestampFromMs(46_000),
    });
    const place = { queue: QUEUE, number: 1, isFirst: true, isLast: false };
    expect(waitWords(waits, place, false, 46_000)).toBe(
      'Waits 4 s, then tries again (attempt 2 of 3)',
    );
    expect(waitWords(waits, place, false, 50_000)).toBe('Next in line, attempt 2 of 3');
    expect(waitWords(job('b', 1), place, true, 0)).toBe('1st in line');
    expect([1, 2, 3, 4, 11, 12, 13, 21, 102, 111].map(nth).join(' ')).toBe(
      '1st 2nd 3rd 4th 11th 12th 13th 21st 102nd 111th',
    );
  });
});

describe('the bench', () => {
  const kinds = (jobs: readonly Job[], shown?: Map<string, number>) =>
    lay(jobs, shown).open.map((entry) => {
      if (entry.kind === 'job') return entry.job.jobId;
      if (entry.kind === 'batch') return `[${ids(entry.batch.jobs)}]`;
      if (entry.kind === 'some') return `(${ids(entry.jobs)})`;
      return entry.kind === 'past' ? '' : `${entry.kind} ${entry.count}`;
    });

  it('has what runs first, then the line; one job alone needs no heading', () => {
    const running = job('r', 1, { state: Job_State.RUNNING });
    expect(kinds([job('a', 2), running])).toEqual(['r', 'a']);
    expect(kinds([job('b', 3), job('a', 2), running])).toEqual(['r', 'line 2', 'a', 'b']);
  });

  it('counts only what could start when it tells places', () => {
    const delayed = job('a', 1, {
      notBeforeTime: timestampFromMs(50_000),
      updateTime: timestampFromMs(46_000),
    });
    const { places } = lay([delayed, job('b', 2), job('c', 3)]);
    expect([...places.values()].map(({ number }) => number)).toEqual([0, 1, 2]);
  });

  it('shows a batch once: where the first of it stands, or on top while it is at work', () => {
    const batchId = 'x';
    const [a, c, d] = [
      job('a', 1, { batchId }),
      job('c', 3, { batchId }),
      job('d', 4, { batchId }),
    ];
    const b = job('b', 2);
    expect(kinds([a, b, c, d])).toEqual(['line 4', '[acd]', 'b', '(cd)']);
    const works = { ...a, state: Job_State.RUNNING };
    expect(kinds([works, b, c, d])).toEqual(['[acd]', 'line 3', 'b', '(cd)']);
    expect(kinds([works, c, d])).toEqual(['[acd]']);
    const bench = lay([
      { ...a, state: Job_State.FAILED },
      { ...c, state: Job_State.SUCCEEDED },
    ]);
    expect(bench.ended).toHaveLength(1);
    expect(bench.ended[0]).toMatchObject({ batch: { counts: { succeeded: 1, failed: 1 } } });
  });

  it('folds a long line but for its last one', () => {
    const crowd = Array.from({ length: 500 }, (_, index) => job(`j${index}`, index));
    const open = kinds(crowd);
    expect(open).toHaveLength(1 + 20 + 1 + 1);
    expect(open.slice(-2)).toEqual(['folded 479', 'j499']);
    expect(kinds(crowd, new Map([[QUEUE, 70]])).at(-2)).toBe('folded 429');
  });
});
