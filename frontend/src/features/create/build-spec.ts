import { create, type JsonObject, type MessageInitShape } from '@bufbuild/protobuf';
import { type ApiError, localFieldError } from '@/api/errors';
import { readSeed, SEEDS, wrongSeed } from '@/calls/seed';
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
  const fromTrack = draft.styleFrom === 'track';
  if (fromTrack && draft.styleTrackId === '') {
    return wrong(
      'style_audio',
      'No track was chosen for the style.',
      'Choose one, or take the style from the prompt.',
    );
  }
  const style = { source: { case: 'trackId' as const, value: draft.styleTrackId } };
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
          ...(fromTrack ? { styleAudio: style } : {}),
        },
      },
    });
  return { specs: Array.from({ length: versions }, (_, version) => specOf(version)) };
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
