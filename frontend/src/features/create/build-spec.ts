import { create, type JsonObject, type MessageInitShape } from '@bufbuild/protobuf';
import { type ApiError, localFieldError } from '@/api/errors';
import { readSeed, SEEDS, wrongSeed } from '@/calls/seed';
import type { AudioRefSchema } from '@/gen/musicgen/api/audio/v1/audio_pb';
import type { GenerationParametersSchema } from '@/gen/musicgen/api/engine/v1/engine_pb';
import { type JobSpec, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { Draft } from './draft';

export type Built = { readonly specs: readonly JobSpec[] } | { readonly error: ApiError };

/**
 * The draft as jobs, one for each version. Only what the wire can't carry is refused here (a
 * seed that is no uint32, a length that is no number); the rest is for the server to judge.
 */
export function buildSpecs(draft: Draft, versions = 1): Built {
  if (!Number.isFinite(lengthSeconds(draft))) {
    return wrong('duration_seconds', 'The length is not a number.', 'Write a number such as 90.');
  }
  const seed = readSeed(draft.seed);
  if (seed === null) return { error: wrongSeed() };
  const style = styleOf(draft);
  if (style === null) {
    return wrong(
      'style_audio',
      `No ${draft.styleFrom} was chosen for the style.`,
      'Choose one, or take the style from the prompt.',
    );
  }
  const specOf = (version: number) =>
    create(JobSpecSchema, {
      kind: {
        case: 'generate',
        value: {
          engine: draft.engine,
          parameters: {
            ...parametersOf(draft),
            ...(seed === undefined ? {} : { seed: (seed + version) % SEEDS }),
          },
          ...(style === undefined ? {} : { styleAudio: style }),
        },
      },
    });
  return { specs: Array.from({ length: versions }, (_, version) => specOf(version)) };
}

/** The music that the style is taken from. undefined: it is taken from words; null: none is chosen. */
function styleOf(draft: Draft): MessageInitShape<typeof AudioRefSchema> | undefined | null {
  if (draft.styleFrom === 'prompt') return undefined;
  if (draft.styleFrom === 'file') {
    const uploadId = draft.styleFile?.uploadId;
    return uploadId === undefined ? null : { source: { case: 'uploadId', value: uploadId } };
  }
  const trackId = draft.styleTrackId;
  return trackId === '' ? null : { source: { case: 'trackId', value: trackId } };
}

/** What is to be generated, without a seed. */
export function parametersOf(draft: Draft): MessageInitShape<typeof GenerationParametersSchema> {
  return {
    prompt: draft.prompt,
    lyrics: draft.lyrics,
    durationSeconds: lengthSeconds(draft),
    ...(Object.keys(draft.options).length === 0
      ? {}
      : { options: JSON.parse(JSON.stringify(draft.options)) as JsonObject }),
  };
}

/** The length in seconds; NaN if it is not a number; 0 (the default) if empty. */
export function lengthSeconds(draft: Pick<Draft, 'length' | 'lengthUnit'>): number {
  return Number(draft.length.trim()) * (draft.lengthUnit === 'min' ? 60 : 1);
}

function wrong(field: string, message: string, remedy: string): { readonly error: ApiError } {
  return { error: localFieldError(field, message, remedy) };
}
