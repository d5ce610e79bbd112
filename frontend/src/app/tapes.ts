import { type Tape, wholeTape } from '@/features/player/tape';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';

/** A finished track for the deck. */
export function tapeOfTrack(track: Track, durationSeconds: number): Tape {
  const { trackId, title, artist, audioPath: src } = track;
  return wholeTape({ tapeId: trackId, title, artist, src, durationSeconds });
}

const JOB_TAPE = 'job-';

/** The job whose previews are on a tape; null if it is a track's. */
export function jobOfTape(tapeId: string | null): string | null {
  return tapeId?.startsWith(JOB_TAPE) === true ? tapeId.slice(JOB_TAPE.length) : null;
}

/** What can be heard of a job that is still at work; undefined if it makes no piece. */
export function tapeOfJob(job: Job): Tape | undefined {
  const kind = job.spec?.kind;
  if (kind?.case !== 'generate') return undefined;
  const { prompt = '', durationSeconds = 0 } = kind.value.parameters ?? {};
  const stretches = job.previews.flatMap(({ artifact, startFrame }) => {
    const { sampleRateHz = 0, durationFrames = 0n } = artifact?.audio ?? {};
    if (artifact === undefined || sampleRateHz <= 0) return [];
    return [
      {
        src: `/v1/${artifact.key}`,
        startSeconds: Number(startFrame) / sampleRateHz,
        durationSeconds: Number(durationFrames) / sampleRateHz,
      },
    ];
  });
  const tapeId = JOB_TAPE + job.jobId;
  return { tapeId, title: prompt, artist: '', durationSeconds, stretches, whole: false };
}
