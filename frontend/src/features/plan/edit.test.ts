import type { JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { sampleRecipe } from '@/testing/sample-recipe';
import {
  playingOf,
  withDegree,
  withDuplicate,
  withEnergy,
  withInstrument,
  withMetre,
  withMoved,
  withoutPart,
  withoutSection,
  withPartOf,
  withPlaying,
  withSection,
} from './edit';
import { chordsOf, type Plan, partsOf, readPlan, secondsOf } from './plan';

const plan = readPlan((sampleRecipe().decisions as JsonObject).plan) as Plan;
const kinds = (of: Plan) => of.sections.map((section) => section.kind).join(' ');

describe('an edit of a plan', () => {
  it('never changes the plan that it was made from', () => {
    const before = JSON.stringify(plan);
    withoutPart(withEnergy(withMoved(plan, 0, 1), 1), 'lead');
    expect(JSON.stringify(plan)).toBe(before);
  });

  it('of tempo or bars leaves the ringing out as it is', () => {
    const faster = { ...plan, tempo_bpm: 120 };
    const bars = (29 * 4 * 60) / 120;
    expect(faster.ring_frames).toBe(plan.ring_frames);
    expect(secondsOf(faster)).toBeCloseTo(bars + plan.ring_frames / 44_100, 4);
    expect(secondsOf(withSection(plan, 0, { bars: 5 }))).toBeCloseTo(90 + (4 * 60) / 82, 4);
  });

  it('of the metre takes the swing away where there can be none, and brings it back', () => {
    const seven = withMetre(plan, '7/8', plan.swing);
    expect(seven).toMatchObject({ metre: '7/8', swing: 0 });
    expect(withMetre(seven, '4/4', plan.swing).swing).toBe(plan.swing);
    expect(withMetre({ ...plan, swing: 0 }, '3/4', plan.swing).swing).toBe(0);
  });

  it('of the energy moves the sections with it', () => {
    const strong = withEnergy(plan, 0.9);
    expect(strong.energy).toBe(0.9);
    expect(strong.sections[0]?.energy).toBeCloseTo((0.402 * (0.55 + 0.54)) / (0.55 + 0.18), 2);
    expect(withEnergy(plan, 1).sections.every((section) => section.energy <= 1)).toBe(true);
    expect(withEnergy(plan, plan.energy)).toEqual(plan);
  });

  it('of an instrument keeps the parts in their order', () => {
    const added = withInstrument(plan, 'arp', 'harp');
    expect(partsOf(added)).toEqual(['drums', 'bass', 'chords', 'pad', 'arp', 'lead']);
    expect(Object.keys(added.parts)).toEqual(partsOf(added));
    expect(added.styles.arp).toBe('up');
    expect(added.sections.every((section) => section.parts.includes('arp'))).toBe(true);
    expect(withInstrument(plan, 'lead', 'flute').sections).toEqual(plan.sections);
  });

  it('takes a part out everywhere, and brings it back as it was', () => {
    const without = withoutPart(plan, 'drums');
    expect(without.parts.drums).toBeUndefined();
    expect(without.sections.some((section) => section.parts.includes('drums'))).toBe(false);
    expect(without.sections.some((section) => section.late.includes('drums'))).toBe(false);
    expect(withPartOf(without, 'drums', plan)).toEqual(plan);
    expect(withPartOf(plan, 'arp', plan)).toBeNull();
    expect(withPartOf(withoutSection(without, 0), 'drums', plan)).toBeNull();
  });

  it('moves, doubles and removes sections', () => {
    expect(kinds(plan)).toBe('intro A B A outro');
    expect(kinds(withMoved(plan, 2, -1))).toBe('intro B A A outro');
    expect(kinds(withMoved(plan, 1, 2))).toBe('intro B A A outro');
    expect(withMoved(plan, 0, -1)).toBe(plan);
    expect(withMoved(plan, 4, 1)).toBe(plan);
    expect(kinds(withDuplicate(plan, 2))).toBe('intro A B B A outro');
    expect(kinds(withoutSection(plan, 0))).toBe('A B A outro');
    const one = { ...plan, sections: plan.sections.slice(0, 1) };
    expect(withoutSection(one, 0)).toBe(one);
  });

  it('lets a part rest, play, or enter in the middle', () => {
    const place = (of: Plan) => of.sections[1] as Plan['sections'][number];
    expect(playingOf(place(plan), 'pad')).toBe('enters');
    const resting = withPlaying(plan, 1, 'pad', 'rests');
    expect(playingOf(place(resting), 'pad')).toBe('rests');
    expect(place(resting).late).toEqual([]);
    const playing = withPlaying(resting, 1, 'pad', 'plays');
    expect(place(playing).parts).toEqual(place(plan).parts);
    expect(withPlaying(playing, 1, 'pad', 'enters')).toEqual(plan);
    expect(withPlaying(plan, 9, 'pad', 'rests')).toBe(plan);
  });

  it('of a chord gives it the colour of the key', () => {
    const raised = {
      ...plan,
      progressions: {
        ...plan.progressions,
        B: { degrees: [1, 5, 4], raised: [false, true, false], tones: 3 },
      },
    };
    expect(chordsOf(raised, 'B')).toEqual(['Am', 'E', 'D']);
    const changed = withDegree(raised, 'B', 1, 7);
    expect(chordsOf(changed, 'B')).toEqual(['Am', 'G', 'D']);
    expect(changed.progressions.B.raised).toEqual([false, false, false]);
    expect(changed.progressions.A).toBe(raised.progressions.A);
  });
});
