import { type ApiError, sentence } from '@/api/errors';
import { PATTERN_OF } from './edit';
import { type Plan, partsOf } from './plan';
import { loopsPlayed } from './plan-words';

/** Where the plan lies in a request, whatever message it sits in. */
const IN_PLAN = /(?:^|\.)options\.plan(?:\.|$)/;

/**
 * What is wrong with a plan: path inside it, such as "sections[2].bars", → what it is.
 * Paths that begin with "/" lie outside the plan, in the request around it.
 */
export type Faults = Readonly<Record<string, string>>;

export const NO_FAULTS: Faults = {};

/** What a refusal, or the error of a failed job, says of the plan's fields. */
export function faultsOf(error: ApiError | null): Faults {
  const entries = Object.entries(error?.fields ?? {}).map(([path, fault]) => {
    const inPlan = IN_PLAN.exec(path);
    const place = inPlan === null ? `/${path}` : path.slice(inPlan.index + inPlan[0].length);
    return [place, sentence(fault)];
  });
  return Object.fromEntries(entries);
}

/** What can't be sent at all: only that is judged on this side. */
export function unsendable(plan: Plan): Faults {
  const faults: Record<string, string> = {};
  const look = (path: string, value: number) => {
    if (!Number.isFinite(value)) faults[path] = 'Write a number.';
  };
  look('tempo_bpm', plan.tempo_bpm);
  look('swing', plan.swing);
  look('energy', plan.energy);
  for (const [index, section] of plan.sections.entries()) {
    look(`sections[${index}].bars`, section.bars);
    look(`sections[${index}].energy`, section.energy);
  }
  return faults;
}

/** What is wrong at a path; with `deep`, or with anything inside it. */
export function faultAt(faults: Faults, path: string, deep = false): string | undefined {
  const found = Object.entries(faults).find(
    ([place]) => place === path || (deep && isInside(place, path)),
  );
  return found?.[1];
}

const FIELD = /^(?:title|tempo_bpm|tonic|mode|metre|swing|energy|texture)\b/;
const SECTION_FIELD = /^sections(?:\[\d+\](?:$|\.(?:kind|bars|energy|parts|late)\b)|$)/;

/** Whether the form shows what is wrong at a path; the rest is told below it. */
export function hasField(place: string, plan: Plan): boolean {
  if (FIELD.test(place) || SECTION_FIELD.test(place)) return true;
  if (place.endsWith('.duration_seconds')) return true;
  const parts = partsOf(plan);
  const styles = parts.flatMap((part) => PATTERN_OF[part]?.style ?? []);
  return (
    parts.some((part) => place === `parts.${part}`) ||
    styles.some((style) => place === `styles.${style}`) ||
    loopsPlayed(plan).some(
      (loop) => place === `progressions.${loop}` || isInside(place, `progressions.${loop}`),
    )
  );
}

/** The faults that are left when something was changed. */
export function withoutFault(faults: Faults, path: string): Faults {
  const left = Object.entries(faults).filter(([place]) => place !== path && !isInside(place, path));
  return Object.fromEntries(left);
}

function isInside(place: string, path: string): boolean {
  return place.startsWith(`${path}.`) || place.startsWith(`${path}[`);
}
