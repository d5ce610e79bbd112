import { create, type MessageInitShape } from '@bufbuild/protobuf';
import {
  type Environment,
  Environment_State,
  EnvironmentSchema,
} from '@/gen/musicgen/api/inference/v1/environment_pb';
import {
  type Engine,
  Engine_State,
  EngineSchema,
} from '@/gen/musicgen/api/inference/v1/inference_service_pb';

/** An engine that sings, in an environment of its own that is not there yet. */
export function sampleSinger(environment: MessageInitShape<typeof EnvironmentSchema> = {}): Engine {
  const made: Environment = create(EnvironmentSchema, {
    engine: 'diffrhythm',
    state: Environment_State.ABSENT,
    detail: 'it was not set up',
    ...environment,
  });
  return create(EngineSchema, {
    environment: made,
    state: made.state === Environment_State.READY ? Engine_State.STOPPED : Engine_State.UNAVAILABLE,
    manifest: {
      name: 'diffrhythm',
      displayName: 'DiffRhythm',
      version: '1.2.0',
      description: 'Whole songs with vocals, from lyrics and a style.',
      license: 'Apache-2.0',
      sampleRateHz: 44_100,
      channels: 2,
      minDurationSeconds: 10,
      maxDurationSeconds: 285,
      defaultDurationSeconds: 95,
      supportsLyrics: true,
      supportsStyleAudio: true,
      supportsEdit: true,
      checksLyrics: true,
      optionsSchema: {
        type: 'object',
        properties: {
          model: { type: 'string', title: 'Model', default: '' },
          steps: { type: 'integer', title: 'Steps', minimum: 1, maximum: 200, default: 32 },
          style: { type: 'array', items: { type: 'number' }, minItems: 512, maxItems: 512 },
        },
      },
    },
  });
}

/** The environment once it was made. */
export const READY_ENVIRONMENT = {
  engine: 'diffrhythm',
  state: Environment_State.READY,
  detail: '',
  deviceBuild: 'cpu',
  sizeBytes: 910_000_000n,
} as const;

/** The recipe of a track that it made. */
export function sampleSongRecipe() {
  return {
    recipe_version: 1,
    engine: 'diffrhythm',
    engine_version: '1.2.0',
    prompt: 'indie pop ballad, warm female voice',
    lyrics: 'Rain on the window\nAll through the night',
    duration_seconds: 95,
    seed: 11,
    options: { steps: 24 },
    rung: 'offload',
    decisions: {
      model: 'diffrhythm-1.2-base',
      precision: 'float16',
      device: 'cuda',
      lyrics: '[00:10.00]Rain on the window\n[00:14.50]All through the night\n',
    },
  };
}
