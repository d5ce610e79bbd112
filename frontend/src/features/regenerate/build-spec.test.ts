import { create, type JsonObject } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { GenerateSpecSchema } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { TrackSchema } from '@/gen/musicgen/api/library/v1/track_pb';
import { sampleSongRecipe } from '@/testing/sample-singer';
import { editSpec } from './build-spec';
import { readSong } from './song';

const PARTS = [{ key: 0, start: '10', end: '20' }];

/** What is asked for of a track with such a recipe, with its prompt or another one. */
function asked(recipe: JsonObject, prompt?: string, format = AudioFormat.FLAC) {
  const track = create(TrackSchema, {
    trackId: 't1',
    audio: { format },
    recipe: { ...sampleSongRecipe(), ...recipe },
  });
  const song = readSong(track);
  if (song === null) throw new Error('no engine made it');
  const words = { prompt: prompt ?? song.prompt, lyrics: song.lyrics };
  return create(GenerateSpecSchema, editSpec(track, song, words, PARTS, undefined));
}

const styledBy = (reference: JsonObject[string]) => ({ style_audio: { reference, title: 'Sea' } });

describe('parts of a song made anew', () => {
  it.each([
    ['track_id', 'trackId'],
    ['artifact_key', 'artifactKey'],
    ['upload_id', 'uploadId'],
  ])('are in the style of the music that the song was given by %s', (name, source) => {
    const spec = asked(styledBy({ [name]: 'x1' }));
    expect(spec.styleAudio?.source).toEqual({ case: source, value: 'x1' });
    expect(spec.parameters?.options).toEqual({ steps: 24 });
  });

  it.each([[{}], [{ url: 'x' }], [{ track_id: 7 }], ['t2'], [null]])(
    'are in the style of the prompt where the music can’t be read: %j',
    (reference) => {
      expect(asked(styledBy(reference)).styleAudio).toBeUndefined();
    },
  );

  it('are in the style of another prompt, if there is one', () => {
    const options = { steps: 24, style: [0.5, -0.5] };
    const recipe = { ...styledBy({ track_id: 't2' }), options };
    expect(asked(recipe).parameters?.options).toEqual(options);
    const other = asked(recipe, 'hard rock');
    expect(other.styleAudio).toBeUndefined();
    expect(other.parameters).toMatchObject({ prompt: 'hard rock' });
    expect(other.parameters?.options).toEqual({ steps: 24 });
  });

  it.each([AudioFormat.MP3, AudioFormat.OPUS, AudioFormat.WAV])(
    'come as FLAC, whatever the track is (%i)',
    (format) => {
      expect(asked({}, undefined, format).format).toBe(AudioFormat.FLAC);
    },
  );
});
