import type { TrackStore } from '@/features/library/track-store';
import { durationOf } from '@/features/library/track-words';
import type { Deck } from '@/features/player/deck';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { JobsStore } from '@/watch/jobs-store';
import { jobOfTape, tapeOfJob, tapeOfTrack } from './tapes';

/** Pauses before a finished track that couldn't be fetched is asked for again. */
const RETRIES_MS: readonly number[] = [500, 1_500, 4_000];

/**
 * While previews of a job are on the deck: gives it the stretches that follow, and in the
 * end the finished track, which goes on where the previews are.
 */
export function listenAlong(jobs: JobsStore, tracks: TrackStore, deck: Deck): void {
  let asking: { readonly tapeId: string; retries: number; waits: boolean } | null = null;

  /** Asks for the track once more after a while; without it there is nothing to go on with. */
  const askAgain = (tapeId: string, trackId: string) => {
    if (asking?.tapeId !== tapeId) asking = { tapeId, retries: 0, waits: false };
    const now = asking;
    if (now.waits) return;
    const pauseMs = RETRIES_MS[now.retries];
    if (pauseMs === undefined) {
      deck.eject(tapeId);
      return;
    }
    now.retries += 1;
    now.waits = true;
    setTimeout(() => {
      now.waits = false;
      // Somebody else may have fetched it, or put another tape on.
      const wanted = deck.state.tapeId === tapeId && tracks.entry(trackId).state === 'failed';
      if (wanted) void tracks.reload(trackId);
    }, pauseMs);
  };
  const handOver = (tapeId: string, job: Job) => {
    const trackId = job.result?.trackIds[0] ?? '';
    if (trackId !== '') tracks.ensure(trackId);
    const entry = tracks.entry(trackId);
    if (entry.state === 'ready') {
      deck.handOver(tapeId, tapeOfTrack(entry.track, durationOf(entry.track)));
    } else if (entry.state === 'failed') {
      askAgain(tapeId, trackId);
    } else if (entry.state === 'missing' || trackId === '') {
      deck.eject(tapeId);
    }
  };
  const look = () => {
    const tapeId = deck.state.tapeId;
    const jobId = jobOfTape(tapeId);
    if (tapeId === null || jobId === null || !jobs.view.ready) return;
    const job = jobs.view.jobs.get(jobId);
    if (job?.state === Job_State.SUCCEEDED) {
      handOver(tapeId, job);
      return;
    }
    const ended = job?.state === Job_State.FAILED || job?.state === Job_State.CANCELLED;
    const tape = job === undefined || ended ? undefined : tapeOfJob(job);
    if (tape === undefined) deck.eject(tapeId);
    else deck.update(tape);
  };
  jobs.subscribe(look);
  tracks.subscribe(look);
}
