import type { MessageInitShape } from '@bufbuild/protobuf';
import type { GenerateSpecSchema } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { inOrder, type Part, rangeOf } from './parts';
import type { Song } from './song';

/** What can be changed of a song beside its parts. */
export interface Words {
  readonly prompt: string;
  readonly lyrics: string;
}

/** The same piece with some of its parts made anew. */
export function editSpec(
  track: Track,
  song: Song,
  words: Words,
  parts: readonly Part[],
  seed: number | undefined,
): MessageInitShape<typeof GenerateSpecSchema> {
  return {
    engine: song.engine,
    parentTrackId: track.trackId,
    ...(track.audio === undefined ? {} : { format: track.audio.format }),
    parameters: {
      ...words,
      durationSeconds: song.durationSeconds,
      options: song.options,
      ...(seed === undefined ? {} : { seed }),
    },
    edit: {
      source: { source: { case: 'trackId', value: track.trackId } },
      regenerate: inOrder(parts).map(rangeOf),
    },
  };
}
