import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { AudioFormat, type AudioRef } from '@/gen/musicgen/api/audio/v1/audio_pb';
import type { GenerateSpecSchema } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { inOrder, type Part, rangeOf } from './parts';
import type { Song } from './song';

/** What can be changed of a song beside its parts. */
export interface Words {
  readonly prompt: string;
  readonly lyrics: string;
}

/** Music that the style is taken from, as before; another prompt replaces it. */
export function styleMusicOf(song: Song, words: Words): AudioRef | undefined {
  return words.prompt === song.prompt ? song.styleAudio : undefined;
}

/** The engine's own options, as before; another prompt replaces a style that is among them. */
function optionsOf(song: Song, words: Words): JsonObject {
  if (words.prompt === song.prompt) return song.options;
  const { style, ...others } = song.options;
  return others;
}

/** The same piece with some of its parts made anew. */
export function editSpec(
  track: Track,
  song: Song,
  words: Words,
  parts: readonly Part[],
  seed: number | undefined,
): MessageInitShape<typeof GenerateSpecSchema> {
  const styleAudio = styleMusicOf(song, words);
  return {
    engine: song.engine,
    parentTrackId: track.trackId,
    // Lossless whatever the track is: a lossy one would be encoded anew as a whole.
    format: AudioFormat.FLAC,
    parameters: {
      ...words,
      durationSeconds: song.durationSeconds,
      options: optionsOf(song, words),
      ...(seed === undefined ? {} : { seed }),
    },
    ...(styleAudio === undefined ? {} : { styleAudio }),
    edit: {
      source: { source: { case: 'trackId', value: track.trackId } },
      regenerate: inOrder(parts).map(rangeOf),
    },
  };
}
