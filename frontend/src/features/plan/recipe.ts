import type { JsonObject } from '@bufbuild/protobuf';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { isObject, type Plan, readPlan, words } from './plan';

/** The engine whose plans these are. */
export const COMPOSER = 'composer';

/** What a track's recipe says of how the composer made it. */
export interface Recipe {
  readonly prompt: string;
  readonly seed: number;
  readonly durationSeconds: number;
  readonly engineVersion: string;
  /** What was taken out of the prompt, as the composer wrote it down. */
  readonly understood: JsonObject;
  /** Words that changed nothing. */
  readonly ignored: readonly string[];
  /** Remarks on the length and on the sounds. */
  readonly notes: readonly string[];
  readonly stems: boolean;
  /** null if there is none that another piece could be made from. */
  readonly plan: Plan | null;
}

/** Reads a track's recipe; null if the composer didn't make it, or says nothing of it. */
export function readRecipe(track: Track): Recipe | null {
  const { recipe } = track;
  if (recipe === undefined || recipe.engine !== COMPOSER || !isObject(recipe.decisions)) {
    return null;
  }
  const { decisions } = recipe;
  const understood = isObject(decisions.understood) ? decisions.understood : {};
  const ignored = words(decisions.ignored);
  const plan = typeof recipe.seed === 'number' ? readPlan(decisions.plan) : null;
  if (plan === null && ignored.length === 0 && Object.keys(understood).length === 0) return null;
  const notes = [decisions.length, decisions.sounds].flatMap((part) =>
    isObject(part) && typeof part.note === 'string' ? [part.note] : [],
  );
  return {
    prompt: typeof recipe.prompt === 'string' ? recipe.prompt : '',
    seed: typeof recipe.seed === 'number' ? recipe.seed : 0,
    durationSeconds: typeof recipe.duration_seconds === 'number' ? recipe.duration_seconds : 0,
    engineVersion: typeof recipe.engine_version === 'string' ? recipe.engine_version : '',
    understood,
    ignored,
    notes,
    stems: isObject(recipe.options) && recipe.options.stems === true,
    plan,
  };
}
