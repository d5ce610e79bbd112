import { create, type JsonObject } from '@bufbuild/protobuf';
import { type ApiError, localFieldError } from '@/api/errors';
import { type JobSpec, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { Draft } from './draft';

const MAX_SEED = 2 ** 32 - 1;

export type Built = { readonly spec: JobSpec } | { readonly error: ApiError };

/**
 * The draft as a job. Only what the wire can't carry is refused here (a seed that is
 * no uint32, a length that is no number); the rest is for the server to judge.
 */
export function buildSpec(draft: Draft): Built {
  const durationSeconds = lengthSeconds(draft);
  if (!Number.isFinite(durationSeconds)) {
    return {
      error: localFieldError(
        'duration_seconds',
        'The length is not a number.',
        'Write a number such as 90.',
      ),
    };
  }
  const seed = readSeed(draft.seed);
  if (seed === null) {
    return {
      error: localFieldError(
        'seed',
        'The seed is not a whole number in range.',
        `Use 0 to ${MAX_SEED}, or leave it empty for a random one.`,
      ),
    };
  }
  const spec = create(JobSpecSchema, {
    kind: {
      case: 'generate',
      value: {
        engine: draft.engine,
        parameters: {
          prompt: draft.prompt,
          lyrics: draft.lyrics,
          durationSeconds,
          ...(seed === undefined ? {} : { seed }),
          ...(Object.keys(draft.options).length === 0
            ? {}
            : { options: JSON.parse(JSON.stringify(draft.options)) as JsonObject }),
        },
      },
    },
  });
  return { spec };
}

/** The length in seconds; NaN if it is not a number; 0 (the default) if empty. */
export function lengthSeconds(draft: Pick<Draft, 'length' | 'lengthUnit'>): number {
  return Number(draft.length.trim()) * (draft.lengthUnit === 'min' ? 60 : 1);
}

/** undefined: none was given; null: what was given is no uint32. */
function readSeed(text: string): number | undefined | null {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  if (!/^\d+$/.test(trimmed)) return null;
  const seed = Number(trimmed);
  return seed <= MAX_SEED ? seed : null;
}
