import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import type { GenerateSpecSchema } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { type Plan, planToJson, secondsOf } from './plan';
import { COMPOSER, type Recipe } from './recipe';

export type GenerateInit = MessageInitShape<typeof GenerateSpecSchema>;

/** A piece by a plan that was edited: same prompt, same seed, the plan decides the rest. */
export function versionSpec(track: Track, recipe: Recipe, plan: Plan): GenerateInit {
  return build(track, recipe, { plan: planToJson(plan) }, askedSeconds(recipe, plan));
}

/** A piece by the same plan, in which some layers have other seeds. */
export function variationSpec(
  track: Track,
  recipe: Recipe & { readonly plan: Plan },
  title: string,
  seeds: Readonly<Record<string, number>>,
): GenerateInit {
  const plan = planToJson({ ...recipe.plan, title });
  return build(track, recipe, { plan, seeds: { ...seeds } }, askedSeconds(recipe, recipe.plan));
}

/**
 * The length to ask for. A plan's own bars decide; what was asked for the first time stands
 * while they say the same (a loop can be a little shorter or longer than that).
 */
function askedSeconds(recipe: Recipe, plan: Plan): number {
  const seconds = secondsOf(plan);
  const unchanged =
    recipe.plan !== null &&
    recipe.durationSeconds > 0 &&
    Math.abs(secondsOf(recipe.plan) - seconds) < 0.001;
  return unchanged ? recipe.durationSeconds : Math.round(seconds * 1_000) / 1_000;
}

function build(
  track: Track,
  recipe: Recipe,
  options: JsonObject,
  durationSeconds: number,
): GenerateInit {
  const { prompt, seed, stems } = recipe;
  return {
    engine: COMPOSER,
    parentTrackId: track.trackId,
    ...(track.audio === undefined ? {} : { format: track.audio.format }),
    parameters: {
      prompt,
      seed,
      durationSeconds,
      options: stems ? { ...options, stems } : options,
    },
  };
}
