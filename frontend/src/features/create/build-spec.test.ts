import { describe, expect, it } from 'vitest';
import type { ApiError } from '@/api/errors';
import type { GenerateSpec } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { buildSpecs, lengthSeconds } from './build-spec';
import { EMPTY_DRAFT, keepDraft, loadDraft } from './draft';
import { readOptions } from './options-schema';

function specOf(part: Partial<typeof EMPTY_DRAFT>): GenerateSpec {
  const built = buildSpecs({ ...EMPTY_DRAFT, ...part });
  const kind = 'specs' in built ? built.specs[0]?.kind : undefined;
  if (kind?.case !== 'generate') throw new Error('no spec');
  return kind.value;
}

function errorOf(part: Partial<typeof EMPTY_DRAFT>): ApiError {
  const built = buildSpecs({ ...EMPTY_DRAFT, ...part });
  if (!('error' in built)) throw new Error('no error');
  return built.error;
}

describe('a draft as a job', () => {
  it('carries prompt, length and seed as they are', () => {
    const spec = specOf({ prompt: ' rain ', length: '1.5', lengthUnit: 'min', seed: '4294967295' });
    expect(spec.parameters).toMatchObject({
      prompt: ' rain ',
      durationSeconds: 90,
      seed: 4_294_967_295,
    });
  });

  it('leaves an empty seed and untouched options out', () => {
    const { parameters } = specOf({});
    expect(parameters?.seed).toBeUndefined();
    expect(parameters?.options).toBeUndefined();
    expect(specOf({ options: { tempo_bpm: 82, parts: ['bass'] } }).parameters?.options).toEqual({
      tempo_bpm: 82,
      parts: ['bass'],
    });
  });

  it('leaves it to the server to judge an empty prompt and a negative length', () => {
    expect(specOf({ prompt: '', length: '-5' }).parameters).toMatchObject({
      prompt: '',
      durationSeconds: -5,
    });
  });

  it('refuses what the wire cannot carry', () => {
    for (const seed of ['-1', '4294967296', '1.5', 'x']) {
      expect(errorOf({ seed }).fields).toHaveProperty('seed');
    }
    expect(errorOf({ length: 'long' }).fields).toHaveProperty('duration_seconds');
  });

  it('names the track or the file that the style is taken from, if that is meant', () => {
    const styleFile = { uploadId: 'u1', name: 'a.wav', sizeBytes: 9 };
    const both = { styleTrackId: 't1', styleFile };
    expect(specOf({ ...both }).styleAudio).toBeUndefined();
    expect(specOf({ ...both, styleFrom: 'track' }).styleAudio?.source.value).toBe('t1');
    expect(specOf({ ...both, styleFrom: 'file' }).styleAudio?.source.value).toBe('u1');
    expect(errorOf({ styleFrom: 'file' }).fields).toHaveProperty('style_audio');
  });

  it('reads an empty length as the default', () => {
    expect(lengthSeconds({ length: ' ', lengthUnit: 's' })).toBe(0);
  });
});

describe('the kept draft', () => {
  it('comes back, and broken storage costs nothing', () => {
    keepDraft({ ...EMPTY_DRAFT, prompt: 'rain' });
    expect(loadDraft().prompt).toBe('rain');
    localStorage.setItem('musicgen.draft', '{');
    expect(loadDraft()).toEqual(EMPTY_DRAFT);
    const full = {
      setItem: () => {
        throw new DOMException('full', 'QuotaExceededError');
      },
    } as unknown as Storage;
    keepDraft(EMPTY_DRAFT, full);
  });
});

describe('the options of an engine', () => {
  it('are read from its schema, and what is not simple is left out', () => {
    const options = readOptions({
      properties: {
        tempo_bpm: { type: ['integer', 'null'], minimum: 40, maximum: 220 },
        key: { enum: ['A', 'B'], title: 'Key', default: 'A' },
        parts: { type: 'array', items: { enum: ['bass'] } },
        deep: { type: 'object' },
        list: { type: 'array', items: { type: 'number' } },
        odd: true,
      },
    });
    expect(options.map(({ name, kind, label }) => [name, kind, label])).toEqual([
      ['tempo_bpm', 'integer', 'Tempo bpm'],
      ['key', 'choice', 'Key'],
      ['parts', 'choices', 'Parts'],
    ]);
    expect(options[0]).toMatchObject({ minimum: 40, maximum: 220, standard: undefined });
    expect(options[1]?.standard).toBe('A');
    expect(readOptions(undefined)).toEqual([]);
  });
});
