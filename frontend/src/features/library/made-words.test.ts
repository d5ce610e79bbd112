import { create, type JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { TrackSchema } from '@/gen/musicgen/api/library/v1/track_pb';
import { madeWords } from './made-words';

const of = (recipe: JsonObject) => madeWords(create(TrackSchema, { recipe }));

describe('how a track was made', () => {
  it.each([
    ['chunked', 'Made into sound stretch by stretch to save memory'],
    ['cpu', 'Made on the processor, since the card’s memory was too small'],
    ['offload', 'Made with the weights on disk to save memory'],
    ['other', 'Memory: other'],
    ['full', ''],
  ])('says what was done to save memory (%s)', (rung, words) => {
    expect(of({ engine: 'diffrhythm', rung })).toBe(words);
  });

  it('names what is known of model, device and precision', () => {
    const engine = 'diffrhythm';
    expect(of({ engine, decisions: { model: 'tiny' } })).toBe('Model tiny');
    expect(of({ engine, decisions: { device: 'cpu', precision: 'fp32' } })).toBe(
      'On the processor, full precision',
    );
    expect(of({ engine, decisions: { model: 'tiny', precision: 'int8' }, rung: 'half' })).toBe(
      'Model tiny, int8; made with the weights in half precision to save memory',
    );
  });

  it('has nothing to say of a loop, or of a recipe that says nothing', () => {
    expect(of({ kind: 'loop', rung: 'cpu' })).toBe('');
    expect(of({ engine: 'composer' })).toBe('');
    expect(madeWords(create(TrackSchema))).toBe('');
  });
});
