import { create } from '@bufbuild/protobuf';
import { Code, ConnectError, createRouterTransport } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClients } from '@/api/clients';
import { TrackStore } from '@/features/library/track-store';
import { Deck } from '@/features/player/deck';
import { Job_State, JobSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { WatchJobsResponseSchema } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { LibraryService } from '@/gen/musicgen/api/library/v1/library_service_pb';
import { FakeAudio } from '@/testing/fake-audio';
import { MemoryLibrary } from '@/testing/memory-library';
import { MemoryUploads } from '@/testing/memory-uploads';
import { JobsStore } from '@/watch/jobs-store';
import { listenAlong } from './listen-along';
import { tapeOfJob } from './tapes';

const preview = {
  artifact: {
    key: 'artifacts/j1/1/preview-0.flac',
    audio: { sampleRateHz: 44_100, durationFrames: 441_000n },
  },
};

function jobOf(state: Job_State, rev: bigint) {
  return create(JobSchema, {
    jobId: 'j1',
    state,
    rev,
    spec: { kind: { case: 'generate', value: { parameters: { prompt: 'rain' } } } },
    previews: state === Job_State.RUNNING ? [preview] : [],
    result: { trackIds: state === Job_State.SUCCEEDED ? ['t1'] : [] },
  });
}

/** Hears a job to the end of its only preview, and lets it succeed; `failures` of the calls
 * for its track fail. */
async function hearOut(failures: number) {
  let asked = 0;
  const library = new MemoryLibrary();
  library.add({ trackId: 't1', title: 'Rainy Night' }, 100);
  const clients = createClients(
    createRouterTransport(({ service }) => {
      service(LibraryService, {
        ...library.service(),
        getTrack: () => {
          asked += 1;
          if (asked <= failures) throw new ConnectError('away', Code.Unavailable);
          return { track: library.track('t1') };
        },
      });
    }),
    new MemoryUploads().port,
  );
  const [audio, spare] = [new FakeAudio(), new FakeAudio()];
  const jobs = new JobsStore();
  const tracks = new TrackStore(clients.library);
  const deck = new Deck(audio.element, spare.element);
  listenAlong(jobs, tracks, deck);
  const running = jobOf(Job_State.RUNNING, 1n);
  jobs.apply(
    create(WatchJobsResponseSchema, {
      body: { case: 'snapshot', value: { jobs: [running], complete: true } },
    }),
  );
  const tape = tapeOfJob(running);
  if (tape === undefined) throw new Error('nothing to hear');
  deck.play(tape);
  audio.end(10);
  expect(deck.state).toMatchObject({ playing: true, waiting: true });
  jobs.merge(jobOf(Job_State.SUCCEEDED, 2n));
  await vi.advanceTimersByTimeAsync(0);
  return { deck, tracks, asked: () => asked };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('a finished track that cannot be fetched', () => {
  it('is asked for again while its previews wait for it', async () => {
    const { deck, asked } = await hearOut(1);
    expect(deck.state).toMatchObject({ tapeId: 'job-j1', waiting: true });
    expect(asked()).toBe(1);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(asked()).toBe(2);
    expect(deck.state).toMatchObject({ tapeId: 't1', playing: true, waiting: false });
  });

  it('lets the deck rest when it stays out of reach', async () => {
    const { deck, asked } = await hearOut(Number.POSITIVE_INFINITY);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(4);
    expect(deck.state).toMatchObject({ tapeId: null, playing: false, waiting: false });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(4);
  });

  it('is left alone once another tape is on', async () => {
    const { deck, asked } = await hearOut(Number.POSITIVE_INFINITY);
    deck.eject('job-j1');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked()).toBe(1);
  });
});
