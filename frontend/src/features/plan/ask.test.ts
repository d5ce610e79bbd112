import { create, type JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import type { ApiError } from '@/api/errors';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { EngineSchema } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { TrackSchema } from '@/gen/musicgen/api/library/v1/track_pb';
import { sampleRecipe } from '@/testing/sample-recipe';
import { variationSpec, versionSpec } from './build-spec';
import { bestOf, instrumentsFor, readChoices, withPresent } from './choices';
import { withSection } from './edit';
import { faultAt, faultsOf, hasField, unsendable, withoutFault } from './faults';
import { type Plan, planToJson } from './plan';
import { type Recipe, readRecipe } from './recipe';
import { changeableLayers, freshSeeds, presetsFor, variationTitle } from './variation';

const track = create(TrackSchema, {
  trackId: 't1',
  title: 'Rainy Night',
  audio: { format: AudioFormat.MP3, sampleRateHz: 44_100, durationFrames: 3_969_000n },
  recipe: sampleRecipe(),
});
const recipe = readRecipe(track) as Recipe & { plan: Plan };
const { plan } = recipe;

const layer = (what: string) => ({ type: 'integer', description: `Decides ${what}.` });
const engine = create(EngineSchema, {
  manifest: {
    version: '2.0.0',
    minDurationSeconds: 5,
    maxDurationSeconds: 300,
    optionsSchema: {
      properties: {
        tempo_bpm: { minimum: 1, maximum: 2 },
        instruments: { items: { enum: ['kazoo'] } },
        texture: { enum: ['fog', 'none'] },
        plan: {
          properties: {
            tempo_bpm: { minimum: 30, maximum: 250 },
            swing: { minimum: 0, maximum: 0.5 },
            mode: { enum: ['major', 'minor'] },
            metre: { enum: ['4/4', '7/8'] },
            texture: { enum: ['', 'rain'] },
            parts: {
              properties: { drums: { enum: ['pop'] }, lead: { enum: ['piano', 'flute'] } },
            },
            styles: { properties: { groove: { enum: ['cascara', 'one_drop'] } } },
            sections: { items: { properties: { kind: { enum: ['intro', 'A'] } } } },
          },
        },
        seeds: {
          properties: {
            plan: layer('what nobody asked for'),
            harmony: layer('the chords'),
            drums: layer('the drums'),
            arp: layer('the arpeggio'),
            lead: layer('the melody and its touch'),
            sound: layer('the grain'),
            texture: layer('the rain'),
            title: layer('the title'),
            chorus_effect: layer('the chorus'),
          },
        },
      },
    },
  },
});

describe('the choices', () => {
  it('are those that the manifest has for a plan', () => {
    const choices = readChoices(engine);
    expect(choices).toMatchObject({
      version: '2.0.0',
      instruments: { drums: ['pop'], lead: ['piano', 'flute'], bass: [] },
      patterns: { groove: ['cascara', 'one_drop'] },
      kinds: ['intro', 'A'],
      textures: ['rain'],
      modes: ['major', 'minor'],
      metres: ['4/4', '7/8'],
      tempo: { min: 30, max: 250 },
      swing: { min: 0, max: 0.5 },
      lengthSeconds: { min: 5, max: 300 },
    });
    expect(instrumentsFor('lead', choices, plan)).toEqual(['electric_guitar', 'piano', 'flute']);
    expect(instrumentsFor('drums', choices, plan)).toEqual(['lofi', 'pop']);
  });

  it('are what the plan has where the manifest says nothing', () => {
    const choices = readChoices(undefined);
    expect(choices).toMatchObject({
      lengthSeconds: { min: 5, max: 600 },
      tempo: { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY },
      swing: { min: 0, max: 1 },
      patterns: {},
      kinds: [],
      layers: [],
    });
    expect(instrumentsFor('drums', choices, plan)).toEqual(['lofi']);
    expect(instrumentsFor('arp', choices, plan)).toEqual([]);
    expect(withPresent(choices.modes, plan.mode)).toEqual(['dorian']);
  });

  it('suit, or are the first that there are', () => {
    expect(bestOf(['jazz', 'pop'], 'pop')).toBe('pop');
    expect(bestOf(['jazz', 'rock'], 'pop')).toBe('jazz');
    expect(bestOf([], 'pop')).toBeUndefined();
  });
});

describe('a version', () => {
  it('asks for the edited plan with the same prompt and seed', () => {
    const edited = { ...withSection(plan, 0, { bars: 8 }), tempo_bpm: 90 };
    expect(versionSpec(track, recipe, edited)).toEqual({
      engine: 'composer',
      parentTrackId: 't1',
      format: AudioFormat.MP3,
      parameters: {
        prompt: recipe.prompt,
        seed: 7,
        durationSeconds: Math.round(((33 * 4 * 60) / 90 + 225_878 / 44_100) * 1_000) / 1_000,
        options: { plan: planToJson(edited) },
      },
    });
  });

  it('asks for the length that was asked for if the plan is as long as before', () => {
    const edited = { ...plan, swing: 0.1 };
    expect(versionSpec(track, recipe, edited).parameters?.durationSeconds).toBe(90);
    const unknown = { ...recipe, durationSeconds: 0, stems: true };
    expect(versionSpec(track, unknown, plan).parameters).toMatchObject({
      durationSeconds: 90,
      options: { stems: true },
    });
  });
});

describe('a variation', () => {
  const layers = changeableLayers(readChoices(engine), plan);

  it('can change the layers that sound and that the plan does not decide', () => {
    expect(layers.map(({ name }) => name)).toEqual([
      'harmony',
      'drums',
      'lead',
      'sound',
      'texture',
      'chorus_effect',
    ]);
    expect(layers[2]).toEqual({
      name: 'lead',
      label: 'Melody',
      hint: 'The melody and its touch.',
    });
    const dry = changeableLayers(readChoices(engine), { ...plan, texture: '' });
    expect(dry.some(({ name }) => name === 'texture')).toBe(false);
  });

  it('has presets for what is there', () => {
    const presets = Object.fromEntries(presetsFor(layers).map((one) => [one.name, one.layers]));
    expect(presets).toEqual({
      melody: ['lead'],
      drums: ['drums'],
      chords: ['harmony'],
      another: ['harmony', 'drums', 'lead', 'texture', 'chorus_effect'],
    });
    expect(presetsFor(layers.filter(({ name }) => name === 'sound'))).toEqual([]);
  });

  it('asks for the same plan with fresh seeds for those layers', () => {
    let drawn = 0;
    const seeds = freshSeeds(['lead', 'drums'], () => (drawn += 1));
    expect(seeds).toEqual({ lead: 1, drums: 2 });
    const spec = variationSpec(track, recipe, 'Rainy Night (new melody)', seeds);
    expect(spec.parentTrackId).toBe('t1');
    expect(spec.parameters).toMatchObject({ prompt: recipe.prompt, seed: 7, durationSeconds: 90 });
    expect(spec.parameters?.options).toEqual({
      plan: { ...planToJson(plan), title: 'Rainy Night (new melody)' },
      seeds,
    });
    const random = freshSeeds(['lead']).lead;
    expect(Number.isInteger(random) && Number(random) >= 0 && Number(random) < 2 ** 32).toBe(true);
  });

  it('gets a title that says what is new, once', () => {
    const title = (from: string, chosen: string[], count = 1, nth = 1) =>
      variationTitle(from, layers, chosen, count, nth);
    expect(title('Rain', ['lead'])).toBe('Rain (new melody)');
    expect(title('Rain (new melody)', ['lead', 'drums'], 3, 2)).toBe('Rain (new drums, melody 2)');
    expect(title('Rain (loop 1 h)', ['harmony', 'drums', 'lead', 'sound'])).toBe(
      'Rain (loop 1 h) (another take)',
    );
    expect(title('x'.repeat(300), ['lead'])).toHaveLength(200);
  });
});

describe('faults', () => {
  const error: ApiError = {
    reason: 'INVALID_FIELD',
    message: 'The plan can’t be used.',
    remedy: '',
    fields: {
      'options.plan.sections[2].bars': 'Must lie between 1 and 1000.',
      'spec.generate.parameters.options.plan.parts.lead': 'must be one of piano',
      'spec.generate.parameters.options.plan': 'An object is needed.',
      'spec.generate.parameters.duration_seconds': 'is 700; composer makes 5 to 600 s',
    },
  };

  it('are found by their place in the plan, whatever message that sits in', () => {
    const faults = faultsOf(error);
    expect(faultAt(faults, 'sections[2].bars')).toBe('Must lie between 1 and 1000.');
    expect(faultAt(faults, 'sections[2]', true)).toBe('Must lie between 1 and 1000.');
    expect(faultAt(faults, 'sections[2]')).toBeUndefined();
    expect(faultAt(faults, 'sections[1]', true)).toBeUndefined();
    expect(faultAt(faults, 'parts.lead')).toBe('It must be one of piano.');
    expect(faultAt(faults, '')).toBe('An object is needed.');
    expect(faults['/spec.generate.parameters.duration_seconds']).toContain('700');
    expect(faultsOf(null)).toEqual({});
  });

  it('of the studio’s schema are told in plain words', () => {
    const at = 'spec.generate.parameters.options.plan';
    const faults = faultsOf({
      ...error,
      fields: {
        [`${at}.sections[2].bars`]: 'is not valid: 0 is less than the minimum of 1',
        [`${at}.sections`]: 'last 700 s together; 600 s are allowed',
      },
    });
    expect(faultAt(faults, 'sections[2].bars')).toBe('It must be at least 1.');
    expect(faultAt(faults, 'sections')).toBe('They last 700 s together; 600 s are allowed.');
  });

  it('have a field of the form, or are told below it', () => {
    const shown = [
      'tempo_bpm',
      'parts.lead',
      'styles.groove',
      'sections',
      'sections[2]',
      'sections[2].bars',
      'sections[2].parts[1]',
      'progressions.A.degrees[0]',
      '/spec.generate.parameters.duration_seconds',
    ];
    const told = [
      '',
      'parts',
      'parts.arp',
      'styles.arp',
      'sections[2].rest_beats',
      'progressions.C.tones',
      'ring_frames',
      '/spec.generate.parameters.prompt',
    ];
    expect(shown.filter((place) => !hasField(place, plan))).toEqual([]);
    expect(told.filter((place) => hasField(place, plan))).toEqual([]);
  });

  it('go with what was changed', () => {
    const faults = faultsOf(error);
    expect(faultAt(withoutFault(faults, 'sections'), 'sections[2].bars')).toBeUndefined();
    expect(faultAt(withoutFault(faults, 'sections[2].bars'), 'parts.lead')).toBeDefined();
  });

  it('are found here only in what cannot be sent', () => {
    expect(unsendable(plan)).toEqual({});
    expect(unsendable({ ...plan, tempo_bpm: 9_999 })).toEqual({});
    const odd = withSection({ ...plan, tempo_bpm: Number.NaN }, 1, { bars: Number.NaN });
    expect(Object.keys(unsendable(odd))).toEqual(['tempo_bpm', 'sections[1].bars']);
  });
});

it('a recipe without options is one all the same', () => {
  const { options: _options, ...older } = sampleRecipe() as JsonObject;
  expect(readRecipe(create(TrackSchema, { recipe: older }))?.stems).toBe(false);
});
