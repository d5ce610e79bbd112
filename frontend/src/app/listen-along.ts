import type { TrackStore } from '@/features/library/track-store';
import { durationOf } from '@/features/library/track-words';
import type { Deck } from '@/features/player/deck';
import { Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { JobsStore } from '@/watch/jobs-store';
import { jobOfTape, tapeOfJob, tapeOfTrack } from './tapes';

/**
 * While previews of a job are on the deck: gives it the stretches that follow, and in the
 * end the finished track, which goes on where the previews are.
 */
export function listenAlong(jobs: JobsStore, tracks: TrackStore, deck: Deck): void {
  const look = () => {
    const tapeId = deck.state.tapeId;
    const jobId = jobOfTape(tapeId);
    if (tapeId === null || jobId === null || !jobs.view.ready) return;
    const job = jobs.view.jobs.get(jobId);
    if (job?.state === Job_State.SUCCEEDED) {
      const trackId = job.result?.trackIds[0] ?? '';
      if (trackId !== '') tracks.ensure(trackId);
      const entry = tracks.entry(trackId);
      if (entry.state === 'ready') {
        deck.handOver(tapeId, tapeOfTrack(entry.track, durationOf(entry.track)));
      } else if (entry.state === 'missing' || trackId === '') {
        deck.eject(tapeId);
      }
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
