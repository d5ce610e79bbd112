import { timestampMs } from '@bufbuild/protobuf/wkt';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { isEnded } from '@/watch/job-state';
import { type Batch, countsOf, openCount } from './batch';
import { delayLeftMs, type Line, linesOf } from './line';

/** A line is folded beyond so many of its entries; its last one is always shown. */
export const LINE_SHOWN = 20;

/** Where a waiting job stands. */
export interface Place {
  readonly queue: string;
  /** From 1, of those that could start; 0 while it waits for a delay to be over. */
  readonly number: number;
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** What the bench shows, from top to bottom. */
export type Entry =
  | { readonly kind: 'job'; readonly job: Job }
  | { readonly kind: 'batch'; readonly batch: Batch; readonly queue: string }
  /** Jobs of a batch, whose card lies elsewhere, that come here in the line. */
  | { readonly kind: 'some'; readonly batch: Batch; readonly jobs: readonly Job[] }
  /** A line begins. */
  | { readonly kind: 'line'; readonly queue: string; readonly count: number }
  /** From here on all has ended. */
  | { readonly kind: 'past' }
  /** Entries of a line that are folded away. */
  | { readonly kind: 'folded'; readonly queue: string; readonly count: number };

export interface Bench {
  readonly open: readonly Entry[];
  readonly ended: readonly Entry[];
  readonly lines: readonly Line[];
  readonly places: ReadonlyMap<string, Place>;
}

/** Lays the jobs out: what goes on, what waits in its order, what ended. */
export function layOut(
  jobs: readonly Job[],
  nowMs: number,
  shown: ReadonlyMap<string, number>,
): Bench {
  const lines = linesOf(jobs);
  const places = placesOf(lines, nowMs);
  const batches = batchesOf(jobs, lines);
  const [working, ended]: [Entry[], Entry[]] = [[], []];
  const placed = new Set<string>();
  for (const job of jobs) {
    const batch = batches.get(job.batchId);
    if (batch === undefined) {
      if (isEnded(job)) ended.push({ kind: 'job', job });
      else if (!places.has(job.jobId)) working.push({ kind: 'job', job });
    } else if (!placed.has(batch.batchId)) {
      const waits = batch.counts.working === 0 && batch.counts.waiting > 0;
      if (waits) continue; // its card lies where the first of it stands in line
      placed.add(batch.batchId);
      const entry: Entry = { kind: 'batch', batch, queue: '' };
      if (openCount(batch.counts) > 0) working.push(entry);
      else ended.push(entry);
    }
  }
  const waiting = lines.flatMap((line) => {
    const entries = entriesOf(line, batches, placed);
    const count = line.jobs.length;
    const head: Entry[] =
      count > 1 || lines.length > 1 ? [{ kind: 'line', queue: line.queue, count }] : [];
    // All that waits is told by the batch's own card.
    if (entries.every(({ kind }) => kind === 'some') && oneBatch(line)) return [];
    return [...head, ...fold(line.queue, entries, shown.get(line.queue) ?? LINE_SHOWN)];
  });
  const newest = [...ended].sort((a, b) => endedMs(b) - endedMs(a));
  return { open: [...working, ...waiting], ended: newest, lines, places };
}

/** The batches of more than one job. */
function batchesOf(jobs: readonly Job[], lines: readonly Line[]): Map<string, Batch> {
  const members = new Map<string, Job[]>();
  for (const job of jobs) {
    if (job.batchId === '') continue;
    const own = members.get(job.batchId);
    if (own === undefined) members.set(job.batchId, [job]);
    else own.push(job);
  }
  const order = new Map(lines.flatMap((line) => line.jobs).map((job, index) => [job.jobId, index]));
  const rank = (job: Job) => {
    if (isEnded(job)) return Number.MAX_SAFE_INTEGER;
    return order.get(job.jobId) ?? -1;
  };
  const batches = new Map<string, Batch>();
  for (const [batchId, own] of members) {
    const [one, ...others] = own;
    if (one === undefined || others.length === 0) continue;
    const first = others.reduce((least, job) => (job.rank < least.rank ? job : least), one);
    own.sort((a, b) => rank(a) - rank(b) || jobEndMs(b) - jobEndMs(a));
    batches.set(batchId, { batchId, jobs: own, counts: countsOf(own), first });
  }
  return batches;
}

function placesOf(lines: readonly Line[], nowMs: number): Map<string, Place> {
  const places = new Map<string, Place>();
  for (const { queue, jobs } of lines) {
    let ready = 0;
    for (const [index, job] of jobs.entries()) {
      const number = delayLeftMs(job, nowMs) > 0 ? 0 : ++ready;
      const ends = { isFirst: index === 0, isLast: index === jobs.length - 1 };
      places.set(job.jobId, { queue, number, ...ends });
    }
  }
  return places;
}

/** A line as people see it: jobs, and those of a batch that follow each other as one. */
function entriesOf(line: Line, batches: ReadonlyMap<string, Batch>, placed: Set<string>): Entry[] {
  return blocksOf(line.jobs, batches).map(([first, ...others]): Entry => {
    const batch = batches.get(first.batchId);
    if (batch === undefined) return { kind: 'job', job: first };
    if (placed.has(batch.batchId)) return { kind: 'some', batch, jobs: [first, ...others] };
    placed.add(batch.batchId);
    return { kind: 'batch', batch, queue: line.queue };
  });
}

export type Block = readonly [Job, ...Job[]];

/** The jobs of a line; those of a batch that follow each other are together. */
export function blocksOf(
  jobs: readonly Job[],
  batches: { has: (batchId: string) => boolean },
): Block[] {
  const blocks: [Job, ...Job[]][] = [];
  for (const job of jobs) {
    const last = blocks.at(-1);
    if (last !== undefined && batches.has(job.batchId) && last[0].batchId === job.batchId) {
      last.push(job);
    } else {
      blocks.push([job]);
    }
  }
  return blocks;
}

function oneBatch(line: Line): boolean {
  return line.jobs.every((job) => job.batchId === line.jobs[0]?.batchId);
}

function fold(queue: string, entries: readonly Entry[], shown: number): readonly Entry[] {
  const last = entries.at(-1);
  if (last === undefined || entries.length <= shown + 2) return entries;
  const folded = entries.slice(shown, -1);
  const count = folded.reduce((sum, entry) => sum + jobCount(entry), 0);
  return [...entries.slice(0, shown), { kind: 'folded', queue, count }, last];
}

function jobCount(entry: Entry): number {
  return entry.kind === 'some'
    ? entry.jobs.length
    : entry.kind === 'batch'
      ? entry.batch.counts.waiting
      : 1;
}

function endedMs(entry: Entry): number {
  if (entry.kind === 'job') return jobEndMs(entry.job);
  return entry.kind === 'batch' ? Math.max(...entry.batch.jobs.map(jobEndMs)) : 0;
}

function jobEndMs(job: Job): number {
  return job.endTime === undefined ? 0 : timestampMs(job.endTime);
}
