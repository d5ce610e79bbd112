import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';

export type Transition = 'cut' | 'crossfade' | 'tail';

/** What was measured at the seam of a loop, as its recipe keeps it. */
export interface Seam {
  readonly transition: Transition;
  /** Length of the crossfade, or of the tail that was folded. */
  readonly crossfadeMs: number;
  readonly clean: boolean;
  /** What keeps it from being clean. */
  readonly faults: readonly string[];
  /** Absent where nothing was measured. */
  readonly discontinuityRatio?: number;
  readonly fluxPercentile?: number;
  readonly beatErrorMs?: number;
  readonly loudnessStepDb?: number;
}

/** Reads the seam report of a loop; null if the track is none or says nothing of it. */
export function readSeam(track: Track): Seam | null {
  const { recipe } = track;
  if (recipe?.kind !== 'loop' || !isObject(recipe.seam)) return null;
  const { seam } = recipe;
  const crossfadeMs = numberOf(seam.crossfade_ms) ?? 0;
  return {
    transition: transitionOf(seam.transition, crossfadeMs),
    crossfadeMs,
    clean: seam.clean === true,
    faults: Array.isArray(seam.faults)
      ? seam.faults.filter((fault) => typeof fault === 'string')
      : [],
    ...measured('discontinuityRatio', seam.discontinuity_ratio),
    ...measured('fluxPercentile', seam.flux_percentile),
    ...measured('beatErrorMs', seam.beat_error_ms),
    ...measured('loudnessStepDb', seam.loudness_step_db),
  };
}

/** "a cut", "a crossfade of 12 ms" */
export function transitionWords(seam: Seam): string {
  const length =
    seam.crossfadeMs < 1_000
      ? `${Math.round(seam.crossfadeMs * 10) / 10} ms`
      : `${Math.round(seam.crossfadeMs / 100) / 10} s`;
  switch (seam.transition) {
    case 'cut':
      return 'a cut';
    case 'tail':
      return `${length} of the ending folded into the start`;
    case 'crossfade':
      return `a crossfade of ${length}`;
  }
}

function transitionOf(name: JsonValue | undefined, crossfadeMs: number): Transition {
  if (name === 'cut' || name === 'crossfade' || name === 'tail') return name;
  return crossfadeMs > 0 ? 'crossfade' : 'cut'; // of a loop that is older than the word
}

function measured(name: string, value: JsonValue | undefined): Record<string, number> {
  const number = numberOf(value);
  return number === undefined ? {} : { [name]: number };
}

function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
