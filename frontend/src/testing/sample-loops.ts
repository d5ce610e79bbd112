import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { JobResultSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import {
  type LoopCandidate,
  LoopCandidate_Kind,
  LoopCandidateSchema,
} from '@/gen/musicgen/api/looper/v1/loop_pb';

const RATE_HZ = 44_100;

/** What a search in a track of 90 seconds finds: two cycles, their seams, points files. */
export function sampleLoops(jobId: string): MessageInitShape<typeof JobResultSchema> {
  const key = (name: string) => `artifacts/${jobId}/1/${name}`;
  const candidate = (
    rank: number,
    [start, end]: readonly [number, number],
    part: MessageInitShape<typeof LoopCandidateSchema>,
  ): LoopCandidate =>
    create(LoopCandidateSchema, {
      kind: LoopCandidate_Kind.REPEAT,
      points: { startFrame: BigInt(start * RATE_HZ), endFrame: BigInt(end * RATE_HZ) },
      likenessBefore: 0.98,
      likenessAfter: 0.97,
      timingSpreadMs: 0.4,
      clickRisk: 0.6,
      seam: {
        key: key(`seam-${rank}.flac`),
        mediaType: 'audio/flac',
        audio: { sampleRateHz: RATE_HZ, channels: 2, durationFrames: BigInt(8 * RATE_HZ) },
      },
      ...(part as object),
    });
  return {
    analysis: {
      sampleRateHz: RATE_HZ,
      durationFrames: BigInt(90 * RATE_HZ),
      candidates: [
        candidate(1, [4, 68], { score: 0.97, beats: 128, bars: 32, tempoBpm: 120 }),
        candidate(2, [4, 36], { score: 0.84, beats: 64, partial: true, timingSpreadMs: 14 }),
      ],
    },
    downloads: ['json', 'csv', 'txt', 'cue'].map((extension) => ({
      artifact: { key: key(`loops.${extension}`) },
      fileName: `Rainy Night loops.${extension}`,
      path: `/v1/${key(`loops.${extension}`)}?name=x`,
    })),
  };
}

/** The recipe of a loop, as far as the page reads it. */
export function sampleLoopRecipe(seam: Record<string, unknown> = {}): Record<string, never> {
  return {
    kind: 'loop',
    seam: {
      transition: 'crossfade',
      crossfade_ms: 12,
      discontinuity_ratio: 0.83,
      flux_percentile: 61.2,
      beat_error_ms: 1.25,
      loudness_step_db: -0.3,
      clean: true,
      faults: [],
      ...seam,
    },
  } as unknown as Record<string, never>;
}
