import { create, type JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { type Track, TrackSchema } from '@/gen/musicgen/api/library/v1/track_pb';
import { sampleRecipe } from '@/testing/sample-recipe';
import { chordName, keyName, MODES, metreOf, TONICS } from './music';
import { barsOf, chordsOf, isObject, type Plan, planToJson, readPlan, secondsOf } from './plan';
import { correctedWords, sectionName, understoodWords } from './plan-words';
import { readRecipe } from './recipe';

function trackOf(recipe: JsonObject): Track {
  return create(TrackSchema, { trackId: 't1', recipe });
}

function decisions(): JsonObject {
  const recipe = sampleRecipe();
  return isObject(recipe.decisions) ? recipe.decisions : {};
}

function samplePlan(): Plan {
  const plan = readPlan(decisions().plan);
  if (plan === null) throw new Error('no plan');
  return plan;
}

describe('the names of music', () => {
  it('are those that the composer uses, for every chord of every key', async () => {
    const lines = MODES.flatMap((mode) =>
      TONICS.flatMap((tonic) =>
        [3, 4, 5].map((tones) =>
          [1, 2, 3, 4, 5, 6, 7]
            .flatMap((degree) =>
              [false, true].map((raised) => chordName(degree, { tonic, mode }, tones, raised)),
            )
            .join(' '),
        ),
      ),
    );
    expect(lines[2]).toBe('Cmaj9 Cmaj9 Dm9 D9 Em7 E7 Fmaj9 Fmaj9 G9 G9 Am9 A9 Bdim7 B7');
    const bytes = new TextEncoder().encode(lines.join('\n'));
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    // Of the same list as written by the composer's own harmony.py.
    expect(hex).toBe('d35c9ddff390019b306f655640e3a140ad066b508dee67750b7403135f51bb40');
  });

  it('of keys are as they are usually written', () => {
    expect([keyName(9, 'minor'), keyName(1, 'major'), keyName(1, 'minor')]).toEqual([
      'A minor',
      'Db major',
      'C# minor',
    ]);
    expect(chordName(1, { tonic: 0, mode: 'locrian' }, 3, false)).toBe('');
  });

  it('of metres say how long a bar is, and whether it can swing', () => {
    const known = {
      '4/4': [4, true],
      '6/8': [2, false],
      '7/8': [3.5, false],
      '10/8': [5, true],
      '12/8': [4, false],
      '3/2': [6, true],
      '5/16': [1.25, false],
    } as const;
    for (const [name, [beats, even]] of Object.entries(known)) {
      expect(metreOf(name)).toEqual({ beats, even });
    }
    expect(metreOf('odd')).toEqual({ beats: 4, even: true });
  });
});

describe('a plan', () => {
  it('is read and written as the composer wrote it', () => {
    expect(planToJson(samplePlan())).toEqual(decisions().plan);
  });

  it('knows its length, its bars and its chords', () => {
    const plan = samplePlan();
    expect(barsOf(plan)).toBe(29);
    expect(secondsOf(plan)).toBeCloseTo(90, 6);
    expect(chordsOf(plan, 'A')).toEqual(['Am9', 'D9', 'Cmaj9', 'D9']);
    expect(sectionName(plan.sections, 0)).toBe('Intro');
    expect(sectionName(plan.sections, 3)).toBe('Verse 2');
  });

  it('keeps what this page does not know of it', () => {
    const value = decisions().plan;
    const plan = readPlan(isObject(value) ? { ...value, groove_depth: 3 } : undefined);
    expect(plan && planToJson(plan).groove_depth).toBe(3);
  });

  it('is none without what a piece cannot be made without', () => {
    const value = decisions().plan as JsonObject;
    expect(readPlan(undefined)).toBeNull();
    expect(readPlan([])).toBeNull();
    for (const name of ['sections', 'progressions', 'tempo_bpm', 'metre', 'parts', 'ring_frames']) {
      const { [name]: _gone, ...rest } = value;
      expect(readPlan(rest), name).toBeNull();
    }
    for (const sections of [[], [1], [{ kind: 'A' }]]) {
      expect(readPlan({ ...value, sections })).toBeNull();
    }
    expect(readPlan({ ...value, tempo_bpm: 0 })).toBeNull();
  });

  it('of an older composer is read with the fields that were added since', () => {
    const value = decisions().plan as JsonObject;
    const sections = (value.sections as JsonObject[]).map(({ kind, bars, energy, parts }) => ({
      kind: kind ?? '',
      bars: bars ?? 0,
      energy: energy ?? 0,
      parts: parts ?? [],
    }));
    const { loop: _loop, curve: _curve, words: _words, seeds: _seeds, ...older } = value;
    const plan = readPlan({ ...older, sections });
    expect(plan?.loop).toBe(false);
    expect(plan?.sections[0]?.late).toEqual([]);
  });
});

describe('a recipe', () => {
  it('says what was understood, what not, and by which plan', () => {
    const recipe = readRecipe(trackOf(sampleRecipe()));
    expect(recipe).toMatchObject({ seed: 7, durationSeconds: 90, stems: false });
    expect(recipe?.plan?.tempo_bpm).toBe(82);
    expect(recipe?.ignored).toEqual(['night', 'purple', 'unicorns']);
    expect(understoodWords(recipe?.understood ?? {})).toEqual(['82 bpm', 'lofi', 'warm', 'rain']);
    expect(correctedWords(recipe?.understood ?? {})).toEqual(['“rany” as rainy']);
  });

  it('of another engine, or without decisions, offers nothing', () => {
    expect(readRecipe(create(TrackSchema, {}))).toBeNull();
    expect(readRecipe(trackOf({ ...sampleRecipe(), engine: 'diffrhythm' }))).toBeNull();
    expect(readRecipe(trackOf({ ...sampleRecipe(), decisions: {} }))).toBeNull();
    expect(readRecipe(trackOf({ kind: 'loop' }))).toBeNull();
  });

  it('with a plan that cannot be read still says what was understood', () => {
    const odd = { ...decisions(), plan: { title: 'Half a plan' } };
    const recipe = readRecipe(trackOf({ ...sampleRecipe(), decisions: odd }));
    expect(recipe?.plan).toBeNull();
    expect(recipe?.ignored).toContain('purple');
  });

  it('says in words all that a prompt can ask for', () => {
    const understood = {
      tempo_word_bpm: 70,
      tonic: 0,
      metre: '3/4',
      genres: { jazz: 2 },
      instruments: ['upright_bass'],
      with_parts: ['drums'],
      without: ['lead'],
      solo: true,
      without_textures: ['vinyl'],
      era: '80s',
      curve: 'rising',
      length_s: 90,
    };
    expect(understoodWords(understood)).toEqual([
      'around 70 bpm',
      'in C',
      '3/4',
      'jazz',
      'upright bass',
      'with drums',
      'no lead',
      'solo',
      'no vinyl',
      '80s',
      'rising',
      '90 s',
    ]);
    expect(understoodWords({ mode: 'minor' })).toEqual(['minor']);
  });
});
