import { create, type JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { EngineSchema } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { sampleRecipe } from '@/testing/sample-recipe';
import cases from '@/testing/variation-cases.json';
import { readChoices } from './choices';
import { type Plan, readPlan } from './plan';
import { changeableLayers, presetsFor, variationTitle } from './variation';

const sample = readPlan((sampleRecipe().decisions as JsonObject).plan) as Plan;

/** The layers of a piece by this plan where the composer lists these. */
function layersOf(listed: readonly string[], plan: Plan) {
  const seeds = { properties: Object.fromEntries(listed.map((name) => [name, {}])) };
  const optionsSchema = { properties: { seeds } };
  return changeableLayers(readChoices(create(EngineSchema, { manifest: { optionsSchema } })), plan);
}

function titleOf(title: string, layers: readonly string[], number: number | null): string {
  const parts = Object.fromEntries(layers.map((name) => [name, 'piano']));
  const known = layersOf(layers, { ...sample, texture: 'rain', parts });
  return variationTitle(title, known, layers, number === null ? 1 : 9, number ?? 1);
}

describe('a variation, as the SDK makes it too', () => {
  it.each(cases.layers)('can change $case', ({ listed, plan, changeable, another }) => {
    const layers = layersOf(listed, { ...sample, ...(plan as unknown as Partial<Plan>) });
    expect(layers.map(({ name }) => name)).toEqual(changeable);
    const preset = presetsFor(layers).find(({ name }) => name === 'another');
    expect(preset?.layers ?? []).toEqual(another);
  });

  it.each(cases.titles)('of $title is called $called', ({ title, layers, number, called }) => {
    expect(titleOf(title, layers, number)).toBe(called);
  });

  it.each(cases.long_titles)('of a long title keeps $kept letters', (long) => {
    const kept = Array.from(long.of.repeat(long.times)).slice(0, long.kept).join('');
    expect(titleOf(long.of.repeat(long.times), [long.layer], null)).toBe(kept + long.suffix);
  });
});
