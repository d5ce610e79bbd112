import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { type Track, TrackSchema } from '@/gen/musicgen/api/library/v1/track_pb';
import {
  LoopAnalysisSchema,
  LoopCandidate_Kind,
  LoopCandidateSchema,
  LoopSpec_Ending,
} from '@/gen/musicgen/api/looper/v1/loop_pb';
import { sampleLoopRecipe } from '@/testing/sample-loops';
import { exactClock } from '@/ui/time';
import { buildSpec, chosenCycle, foundCycle } from './build-spec';
import { firstDraft, type LoopDraft } from './draft';
import { noteWords, placeWords, qualityWord, sizeOf } from './loop-words';
import { readSeam, transitionWords } from './seam-report';
import { readFrame, secondsUntil } from './times';

const NOW = new Date(2026, 0, 10, 23, 30);
const analysis = create(LoopAnalysisSchema, {
  candidates: [{ points: { startFrame: 100n, endFrame: 900n } }],
});

function trackOf(part: Exclude<MessageInitShape<typeof TrackSchema>, Track> = {}): Track {
  return create(TrackSchema, {
    trackId: 't1',
    audio: { sampleRateHz: 1_000, durationFrames: 90_000n },
    ...part,
  });
}

function built(change: Partial<LoopDraft>, track = trackOf()) {
  return buildSpec(track, { ...firstDraft(track), ...change }, undefined, NOW);
}

describe('a place in the music', () => {
  it('is a frame, or a time to the millisecond', () => {
    expect(readFrame('44100', 1_000)).toBe(44_100n);
    expect(readFrame('1:02.345', 1_000)).toBe(62_345n);
    expect(readFrame('62,5', 1_000)).toBe(62_500n);
    expect(readFrame('0:04', 48_000)).toBe(192_000n);
    for (const text of ['', 'x', '-1', '1:2', '1:02:03', '1e3', '1.']) {
      expect(readFrame(text, 1_000), text).toBeUndefined();
    }
    expect([exactClock(0), exactClock(62.3451), exactClock(59.9996)]).toEqual([
      '0:00.000',
      '1:02.345',
      '1:00.000',
    ]);
  });
});

describe('a time of day', () => {
  it('is the next time that the clock shows it', () => {
    expect(secondsUntil('23:45', NOW)).toBe(900);
    expect(secondsUntil('07:00', NOW)).toBe(7.5 * 3_600);
    expect(secondsUntil('23:30', NOW)).toBe(24 * 3_600);
    for (const text of ['', '24:00', '7', '07:60']) expect(secondsUntil(text, NOW)).toBeNaN();
  });
});

describe('the spec of a loop', () => {
  it('is an hour of the best there is unless something else is chosen', () => {
    expect(built({})).toEqual({
      spec: {
        source: { source: { case: 'trackId', value: 't1' } },
        extent: { case: 'lengthSeconds', value: 3_600 },
        snapPoints: false,
        foldTail: false,
        ending: LoopSpec_Ending.CUT,
        skipIntro: false,
        format: AudioFormat.FLAC,
      },
    });
  });

  it('has the cycle that is chosen: own, found, or typed', () => {
    const own = trackOf({ loopPoints: { startFrame: 5n, endFrame: 50n } });
    const points = (startFrame: bigint, endFrame: bigint) => ({
      spec: expect.objectContaining({ points: { startFrame, endFrame } }),
    });
    expect(built({}, own)).toEqual(points(5n, 50n));
    expect(built({ cycle: { start: 7n, end: 70n } }, own)).toEqual(points(7n, 70n));
    expect(built({ cycle: 'hand', start: '0:01.5', end: '9000' })).toEqual(points(1_500n, 9_000n));
    expect(built({ cycle: 'hand', start: '1', end: '2' })).toMatchObject({
      spec: { snapPoints: true },
    });
    const best = { ...firstDraft(trackOf()), cycle: 'best' as const };
    expect(chosenCycle(trackOf(), best, undefined)).toBeUndefined();
    expect(chosenCycle(trackOf(), best, analysis)).toEqual({ start: 100n, end: 900n });
  });

  it('folds what rings on after a cycle that was found so', () => {
    const ringing = create(LoopAnalysisSchema, {
      candidates: [
        { points: { startFrame: 0n, endFrame: 800n }, kind: LoopCandidate_Kind.TAIL },
        { points: { startFrame: 0n, endFrame: 400n }, kind: LoopCandidate_Kind.REPEAT },
      ],
    });
    const folds = (cycle: LoopDraft['cycle']) =>
      buildSpec(trackOf(), { ...firstDraft(trackOf()), cycle }, ringing, NOW);
    const [tail, repeat] = ringing.candidates.map(foundCycle);
    expect(folds('best')).toMatchObject({ spec: { foldTail: true } });
    expect(folds(tail ?? 'hand')).toMatchObject({ spec: { foldTail: true } });
    expect(folds(repeat ?? 'hand')).toMatchObject({ spec: { foldTail: false } });
  });

  it('lasts for minutes, for a number of times, or until a time of day', () => {
    const lasts = (extent: object) => ({ spec: expect.objectContaining({ extent }) });
    expect(built({ extent: 'minutes', minutes: '1,5' })).toEqual(
      lasts({ case: 'lengthSeconds', value: 90 }),
    );
    expect(built({ extent: 'cycles', cycles: '12' })).toEqual(lasts({ case: 'cycles', value: 12 }));
    expect(built({ extent: 'until', until: '00:30' })).toEqual(
      lasts({ case: 'lengthSeconds', value: 3_600 }),
    );
    expect(built({ ending: LoopSpec_Ending.FADE, fade: '2.5' })).toMatchObject({
      spec: { ending: LoopSpec_Ending.FADE, fadeSeconds: 2.5 },
    });
  });

  it.each([
    [{ extent: 'minutes', minutes: 'long' }, 'length_seconds'],
    [{ extent: 'cycles', cycles: '2.5' }, 'cycles'],
    [{ extent: 'cycles', cycles: '1e12' }, 'cycles'],
    [{ extent: 'until', until: '' }, 'length_seconds'],
    [{ cycle: 'hand', start: '', end: '5' }, 'start_frame'],
    [{ cycle: 'hand', start: '1', end: 'end' }, 'end_frame'],
    [{ ending: LoopSpec_Ending.FADE, fade: '' }, 'fade_seconds'],
  ] as const)('is not built of %o', (change, field) => {
    const result = built(change);
    expect('error' in result && Object.keys(result.error.fields)).toEqual([field]);
  });
});

describe('a cycle in words', () => {
  it('says where it is, how long, how good, and what to mind', () => {
    const of = (part: MessageInitShape<typeof LoopCandidateSchema>) =>
      create(LoopCandidateSchema, part);
    expect(placeWords({ start: 4_000n, end: 36_500n }, 1_000)).toBe('0:04.000 – 0:36.500');
    expect(sizeOf(of({ bars: 16, beats: 64 }), 32)).toBe('32 s, 16 bars');
    expect(sizeOf(of({ beats: 1 }), 0.5)).toBe('0.5 s, 1 beat');
    expect(sizeOf(of({}), 72)).toBe('1 min 12 s');
    expect([0.97, 0.92, 0.85, 0.7].map(qualityWord)).toEqual([
      'Seamless',
      'Very good',
      'Good',
      'Fair',
    ]);
    expect(noteWords(of({ kind: LoopCandidate_Kind.WHOLE_FILE }))).toEqual(['the whole track']);
    const odd = of({ kind: LoopCandidate_Kind.TAIL, partial: true, timingSpreadMs: 14.4 });
    expect(noteWords(odd)).toEqual([
      'rings on into its start',
      'skips music',
      'up to 14 ms off the beat',
    ]);
  });
});

describe('a seam report', () => {
  const read = (recipe: Record<string, never>) => readSeam(trackOf({ recipe }));

  it('is read from the recipe of a loop', () => {
    const seam = read(sampleLoopRecipe());
    expect(seam).toEqual({
      transition: 'crossfade',
      crossfadeMs: 12,
      clean: true,
      faults: [],
      discontinuityRatio: 0.83,
      fluxPercentile: 61.2,
      beatErrorMs: 1.25,
      loudnessStepDb: -0.3,
    });
    expect(seam && transitionWords(seam)).toBe('a crossfade of 12 ms');
  });

  it('is read from older ones, and from odd ones as far as it goes', () => {
    const old = read(sampleLoopRecipe({ transition: null, faults: 'none', beat_error_ms: null }));
    expect(old).toMatchObject({ transition: 'crossfade', faults: [] });
    expect(old?.beatErrorMs).toBeUndefined();
    const cut = read(sampleLoopRecipe({ transition: undefined, crossfade_ms: 0 }));
    expect(cut && transitionWords(cut)).toBe('a cut');
    const tail = read(sampleLoopRecipe({ transition: 'tail', crossfade_ms: 2_140 }));
    expect(tail && transitionWords(tail)).toBe('2.1 s of the ending folded into the start');
    expect(read({} as Record<string, never>)).toBeNull();
    expect(readSeam(trackOf())).toBeNull();
  });
});
