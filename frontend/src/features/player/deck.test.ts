import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeAudio } from '@/testing/fake-audio';
import { Deck } from './deck';
import { availableSeconds, stretchAt, type Tape, wholeTape } from './tape';

const tape = wholeTape({
  tapeId: 't1',
  src: '/v1/tracks/t1/audio',
  title: 'Rain',
  artist: 'Ada',
  durationSeconds: 100,
});
const other = wholeTape({ ...tape, tapeId: 't2', src: '/v1/tracks/t2/audio', title: 'Sun' });

/** A piece of 100 s, of which so many stretches of 10 s are there. */
function preview(count: number, attempt = 1): Tape {
  return {
    tapeId: 'job-1',
    title: 'Rain',
    artist: '',
    durationSeconds: 100,
    whole: false,
    stretches: Array.from({ length: count }, (_, index) => ({
      src: `/v1/artifacts/1/${attempt}/preview-${index}.flac`,
      startSeconds: index * 10,
      durationSeconds: 10,
    })),
  };
}

let audio: FakeAudio;
let spare: FakeAudio;
let deck: Deck;

beforeEach(() => {
  audio = new FakeAudio();
  spare = new FakeAudio();
  deck = new Deck(audio.element, spare.element);
});

/** The one that sounds. */
function sounding(): FakeAudio {
  const playing = [audio, spare].filter((one) => !one.paused);
  expect(playing).toHaveLength(1);
  return playing[0] as FakeAudio;
}

describe('a tape', () => {
  it('knows what is there, and which stretch sounds where', () => {
    expect(availableSeconds(preview(3))).toBe(30);
    expect(availableSeconds(preview(0))).toBe(0);
    expect(stretchAt(preview(3), 10)?.startSeconds).toBe(10);
    expect(stretchAt(preview(3), 9.995)?.startSeconds).toBe(10);
    expect(stretchAt(preview(3), 30)).toBeUndefined();
  });
});

describe('the deck with a whole track', () => {
  it('plays one track at a time and pauses the one that plays', () => {
    deck.toggle(tape);
    expect(audio.src).toBe('/v1/tracks/t1/audio');
    expect(deck.state).toMatchObject({ tapeId: 't1', playing: true });
    deck.toggle(tape);
    expect(deck.state.playing).toBe(false);
    deck.toggle(other);
    expect(audio.src).toBe('/v1/tracks/t2/audio');
    expect(deck.state).toMatchObject({ tapeId: 't2', playing: true, positionSeconds: 0 });
    expect(sounding()).toBe(audio);
  });

  it('follows the audio and returns to the start at the end', () => {
    deck.toggle(tape);
    audio.runTo(12);
    expect(deck.state.positionSeconds).toBe(12);
    audio.end(100);
    expect(deck.state).toMatchObject({ playing: false, waiting: false, positionSeconds: 0 });
    deck.toggle(tape);
    expect(audio.currentTime).toBe(0);
  });

  it('seeks within the track only', () => {
    deck.seek(tape, 40);
    expect(audio.currentTime).toBe(40);
    deck.seek(tape, 400);
    expect(audio.currentTime).toBe(100);
    audio.seeking = true;
    audio.runTo(3);
    expect(deck.state.positionSeconds).toBe(100);
  });

  it('plays from a place', () => {
    deck.play(tape, 40);
    expect(audio.currentTime).toBe(40);
    expect(deck.state).toMatchObject({ playing: true, positionSeconds: 40 });
    deck.play(tape, 10);
    expect(audio.currentTime).toBe(10);
  });

  it('says when the audio cannot be played, and tries again', async () => {
    audio.playError = new Error('no');
    deck.toggle(tape);
    await vi.waitFor(() => expect(deck.state.problem).toContain('could not be played'));
    audio.playError = null;
    deck.toggle(tape);
    expect(deck.state).toMatchObject({ playing: true, problem: null });
    audio.fail();
    expect(deck.state.problem).toContain('could not be loaded');
    audio.src = '';
    deck.toggle(tape);
    expect(audio.src).toBe('/v1/tracks/t1/audio');
  });

  it('does not take an interrupted start for a problem', async () => {
    audio.playError = new DOMException('interrupted', 'AbortError');
    deck.toggle(tape);
    await Promise.resolve();
    expect(deck.state.problem).toBeNull();
  });

  it('stops when its track is gone', () => {
    deck.toggle(tape);
    deck.eject('t2');
    expect(deck.state.tapeId).toBe('t1');
    deck.eject('t1');
    expect(deck.state.tapeId).toBeNull();
    expect(audio.src).toBe('');
  });
});

describe('the deck with a piece that is still being made', () => {
  it('plays one stretch after the other and has the next one ready', () => {
    deck.toggle(preview(3));
    expect(sounding().src).toContain('preview-0');
    expect(spare.src).toContain('preview-1');
    audio.runTo(4);
    expect(deck.state.positionSeconds).toBe(4);
    audio.end(10);
    expect(sounding()).toBe(spare);
    expect(audio.src).toContain('preview-2');
    spare.runTo(2.5);
    expect(deck.state).toMatchObject({ playing: true, waiting: false, positionSeconds: 12.5 });
  });

  it('waits at the end of what there is, and goes on by itself', () => {
    deck.toggle(preview(1));
    audio.end(10);
    expect(deck.state).toMatchObject({ playing: true, waiting: true, positionSeconds: 10 });
    deck.update(preview(1));
    expect(deck.state.waiting).toBe(true);
    deck.update({ ...preview(2), tapeId: 'job-2' });
    expect(deck.state.waiting).toBe(true);
    deck.update(preview(2));
    expect(sounding().src).toContain('preview-1');
    expect(deck.state).toMatchObject({ playing: true, waiting: false });
  });

  it('gets a stretch ready that came while the one before played', () => {
    deck.toggle(preview(1));
    audio.runTo(5);
    deck.update(preview(2));
    expect(spare.src).toContain('preview-1');
    audio.end(10);
    expect(sounding()).toBe(spare);
  });

  it('stops waiting when it is paused', () => {
    deck.toggle(preview(1));
    audio.end(10);
    deck.toggle(preview(1));
    expect(deck.state).toMatchObject({ playing: false, waiting: false, positionSeconds: 10 });
    deck.update(preview(2));
    expect(audio.paused && spare.paused).toBe(true);
    deck.toggle(preview(2));
    expect(sounding().src).toContain('preview-1');
  });

  it('seeks across stretches, as far as there is something', () => {
    deck.toggle(preview(3));
    deck.seek(preview(3), 25);
    expect(sounding().src).toContain('preview-2');
    expect(sounding().currentTime).toBe(5);
    deck.seek(preview(3), 2);
    expect(sounding().src).toContain('preview-0');
    expect(sounding().currentTime).toBe(2);
    deck.seek(preview(3), 90);
    expect(deck.state).toMatchObject({ positionSeconds: 30, waiting: true, playing: true });
    deck.toggle(preview(3));
    deck.seek(preview(3), 12);
    expect(deck.state).toMatchObject({ positionSeconds: 12, playing: false });
  });

  it('keeps what it has between two attempts and goes on with the files of the new one', () => {
    deck.toggle(preview(2));
    audio.runTo(5);
    deck.update(preview(0, 2));
    audio.end(10);
    expect(sounding().src).toContain('/1/1/preview-1');
    deck.update(preview(1, 2));
    spare.end(10);
    expect(deck.state).toMatchObject({ waiting: true, positionSeconds: 20 });
    deck.update(preview(3, 2));
    expect(sounding().src).toContain('/1/2/preview-2');
  });

  it('alarms nobody when a stretch is gone, and waits for what comes', () => {
    deck.toggle(preview(1));
    audio.fail();
    expect(deck.state).toMatchObject({ playing: true, waiting: true, problem: null });
    deck.update(preview(2));
    expect(sounding().src).toContain('preview-0');
    spare.fail();
    expect(deck.state).toMatchObject({ playing: true, waiting: false, problem: null });
    audio.end(10);
    expect(sounding().src).toContain('preview-1');
  });

  it('waits for another press where the browser wants one', async () => {
    audio.playError = new DOMException('press first', 'NotAllowedError');
    deck.toggle(preview(1));
    await vi.waitFor(() => expect(deck.state.playing).toBe(false));
    expect(deck.state.problem).toBeNull();
  });
});

describe('the hand-over to the finished track', () => {
  it('lets the track take over where the preview is, without a pause', () => {
    deck.toggle(preview(2));
    audio.runTo(4);
    const heard = vi.fn();
    deck.subscribe(() => heard(deck.state.playing));
    deck.handOver('job-1', tape);
    expect(deck.state).toMatchObject({ tapeId: 't1', playing: true, positionSeconds: 4 });
    expect(sounding()).toBe(audio);
    expect(spare.src).toBe('/v1/tracks/t1/audio');
    expect(spare.currentTime).toBeCloseTo(4.6);
    spare.arrive();
    audio.runTo(4.3);
    expect(sounding()).toBe(audio);
    audio.runTo(4.61);
    expect(sounding()).toBe(spare);
    expect(audio.src).toBe('');
    spare.runTo(5);
    expect(deck.state).toMatchObject({ tapeId: 't1', playing: true, positionSeconds: 5 });
    expect(heard).not.toHaveBeenCalledWith(false);
  });

  it('tries again from where it is when the track came too late', () => {
    deck.toggle(preview(2));
    audio.runTo(1);
    deck.handOver('job-1', tape);
    audio.runTo(5);
    spare.arrive();
    expect(spare.currentTime).toBeCloseTo(5.6);
    spare.arrive();
    audio.runTo(5.7);
    expect(sounding()).toBe(spare);
  });

  it('goes on with the track at the end of the last stretch at the latest', () => {
    deck.toggle(preview(1));
    audio.runTo(9.8);
    deck.handOver('job-1', tape);
    audio.end(10);
    expect(sounding().src).toBe('/v1/tracks/t1/audio');
    expect(sounding().currentTime).toBeCloseTo(10, 0);
    expect(deck.state).toMatchObject({ playing: true, waiting: false });
  });

  it('ends the waiting', () => {
    deck.toggle(preview(1));
    audio.end(10);
    deck.handOver('job-1', tape);
    expect(sounding().src).toBe('/v1/tracks/t1/audio');
    expect(sounding().currentTime).toBe(10);
    expect(deck.state).toMatchObject({ tapeId: 't1', playing: true, waiting: false });
  });

  it('of what is paused stays paused there', () => {
    deck.toggle(preview(1));
    audio.runTo(3);
    deck.toggle(preview(1));
    deck.handOver('job-1', tape);
    expect(deck.state).toMatchObject({ tapeId: 't1', playing: false, positionSeconds: 3 });
    expect([audio, spare].every((one) => one.paused)).toBe(true);
    deck.toggle(tape);
    expect(sounding().src).toBe('/v1/tracks/t1/audio');
    expect(sounding().currentTime).toBe(3);
  });

  it('pauses and goes on in the middle of it', () => {
    deck.toggle(preview(2));
    audio.runTo(4);
    deck.handOver('job-1', tape);
    deck.toggle(tape);
    expect([audio, spare].every((one) => one.paused)).toBe(true);
    spare.arrive();
    deck.toggle(tape);
    expect(sounding().src).toBe('/v1/tracks/t1/audio');
    expect(sounding().currentTime).toBeCloseTo(4);
  });

  it('says so when the track cannot be loaded', () => {
    deck.toggle(preview(1));
    audio.runTo(4);
    deck.handOver('job-1', tape);
    spare.fail();
    expect(deck.state.problem).toBeNull();
    audio.end(10);
    sounding().fail();
    expect(deck.state).toMatchObject({ playing: false, waiting: false });
    expect(deck.state.problem).toContain('could not be loaded');
  });

  it('leaves another tape alone', () => {
    deck.toggle(other);
    deck.handOver('job-1', tape);
    expect(deck.state.tapeId).toBe('t2');
  });
});
