import { type ApiError, localFieldError } from '@/api/errors';

/** How many seeds there are: a seed is a uint32. */
export const SEEDS = 2 ** 32;

/** A seed as typed. undefined: none was given; null: what was given is no uint32. */
export function readSeed(text: string): number | undefined | null {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  if (!/^\d+$/.test(trimmed)) return null;
  const seed = Number(trimmed);
  return seed < SEEDS ? seed : null;
}

/** What is said of one that is none. */
export function wrongSeed(): ApiError {
  return localFieldError(
    'seed',
    'The seed is not a whole number in range.',
    `Use 0 to ${SEEDS - 1}, or leave it empty for a random one.`,
  );
}
