import { act, fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { Deck, type Tape } from './deck';
import { DeckProvider } from './deck-context';
import { columns, columnsPath, loadPeaks } from './peaks';
import { PlayButton, Player } from './player';

const tape: Tape = {
  trackId: 't1',
  src: '/v1/tracks/t1/audio',
  title: 'Rain',
  artist: 'Ada',
  durationSeconds: 100,
};
const other: Tape = { ...tape, trackId: 't2', src: '/v1/tracks/t2/audio', title: 'Sun' };

/** An <audio> whose clock the test turns. */
class FakeAudio extends EventTarget {
  src = '';
  preload = '';
  currentTime = 0;
  seeking = false;
  playError: Error | null = null;

  async play(): Promise<void> {
    if (this.playError !== null) throw this.playError;
    this.dispatchEvent(new Event('play'));
  }

  pause(): void {
    this.dispatchEvent(new Event('pause'));
  }

  removeAttribute(): void {
    this.src = '';
  }

  runTo(seconds: number): void {
    this.currentTime = seconds;
    this.dispatchEvent(new Event('timeupdate'));
  }
}

function newDeck(): { audio: FakeAudio; deck: Deck } {
  const audio = new FakeAudio();
  return { audio, deck: new Deck(audio as unknown as HTMLAudioElement) };
}

describe('the deck', () => {
  it('plays one track at a time and pauses the one that plays', () => {
    const { audio, deck } = newDeck();
    deck.toggle(tape);
    expect(audio.src).toBe('/v1/tracks/t1/audio');
    expect(deck.state).toMatchObject({ trackId: 't1', playing: true });
    deck.toggle(tape);
    expect(deck.state.playing).toBe(false);
    deck.toggle(other);
    expect(audio.src).toBe('/v1/tracks/t2/audio');
    expect(deck.state).toMatchObject({ trackId: 't2', playing: true, positionSeconds: 0 });
  });

  it('follows the audio and returns to the start at the end', () => {
    const { audio, deck } = newDeck();
    deck.toggle(tape);
    audio.runTo(12);
    expect(deck.state.positionSeconds).toBe(12);
    audio.dispatchEvent(new Event('ended'));
    expect(deck.state).toMatchObject({ playing: false, positionSeconds: 0 });
  });

  it('seeks within the track only', () => {
    const { audio, deck } = newDeck();
    deck.seek(tape, 40);
    expect(audio.currentTime).toBe(40);
    deck.seek(tape, 400);
    expect(audio.currentTime).toBe(100);
    audio.seeking = true;
    audio.runTo(3);
    expect(deck.state.positionSeconds).toBe(100);
  });

  it('says when the audio cannot be played, and tries again', async () => {
    const { audio, deck } = newDeck();
    audio.playError = new Error('no');
    deck.toggle(tape);
    await vi.waitFor(() => expect(deck.state.problem).toContain('could not be played'));
    audio.playError = null;
    deck.toggle(tape);
    expect(deck.state).toMatchObject({ playing: true, problem: null });
    audio.dispatchEvent(new Event('error'));
    expect(deck.state.problem).toContain('could not be loaded');
  });

  it('does not take an interrupted start for a problem', async () => {
    const { audio, deck } = newDeck();
    audio.playError = new DOMException('interrupted', 'AbortError');
    deck.toggle(tape);
    await Promise.resolve();
    expect(deck.state.problem).toBeNull();
  });

  it('stops when its track is gone', () => {
    const { audio, deck } = newDeck();
    deck.toggle(tape);
    deck.eject('t2');
    expect(deck.state.trackId).toBe('t1');
    deck.eject('t1');
    expect(deck.state.trackId).toBeNull();
    expect(audio.src).toBe('');
  });
});

describe('the peaks', () => {
  it('become columns as high as their loudest part', () => {
    const peaks = [
      [-0.1, 0.2],
      [-0.5, 0.1],
      [0, 0],
      [-0.2, 0.3],
    ] as const;
    expect(columns(peaks, 2)).toEqual([0.5, 0.3]);
    expect(columns(peaks, 8)).toHaveLength(8);
    expect(columns([], 3)).toEqual([0, 0, 0]);
    expect(columnsPath([0.5, 0.25]).match(/M/g)).toHaveLength(2);
  });

  it('are fetched once, and again after a failure', async () => {
    const answer = vi
      .fn<typeof fetch>()
      .mockResolvedValueOnce(new Response('', { status: 503 }))
      .mockResolvedValueOnce(new Response('{}'))
      .mockImplementation(async () => new Response('{"peaks":[[-1,1]]}'));
    vi.stubGlobal('fetch', answer);
    await expect(loadPeaks('/once')).rejects.toThrow('503');
    await expect(loadPeaks('/once')).rejects.toThrow('form');
    expect(await loadPeaks('/once')).toEqual([[-1, 1]]);
    await loadPeaks('/once');
    expect(answer).toHaveBeenCalledTimes(3);
    vi.unstubAllGlobals();
  });
});

describe('the player', () => {
  beforeEach(() => {
    vi.stubGlobal(
      'fetch',
      vi.fn(async (url: string) =>
        url.includes('bad')
          ? new Response('', { status: 404 })
          : new Response('{"peaks":[[-1,1]]}'),
      ),
    );
    return () => vi.unstubAllGlobals();
  });

  it('plays, shows the time, and is a slider for the keyboard', async () => {
    const { audio, deck } = newDeck();
    render(
      <DeckProvider deck={deck}>
        <Player tape={tape} peaksUrl="/peaks" />
      </DeckProvider>,
    );
    await userEvent.click(screen.getByRole('button', { name: 'Play Rain' }));
    act(() => audio.runTo(61));
    expect(screen.getByTestId('time')).toHaveTextContent('1:01 / 1:40');
    const slider = screen.getByRole('slider', { name: 'Position in Rain' });
    expect(slider).toHaveAttribute('aria-valuetext', '1:01 of 1:40');
    const keys: [string, number][] = [
      ['ArrowRight', 66],
      ['ArrowLeft', 61],
      ['PageUp', 71],
      ['PageDown', 61],
      ['Home', 0],
      ['ArrowLeft', 0],
      ['End', 100],
      ['x', 100],
    ];
    for (const [key, position] of keys) {
      fireEvent.keyDown(slider, { key });
      expect(audio.currentTime).toBe(position);
    }
    expect(screen.getByRole('button', { name: 'Pause Rain' })).toBeInTheDocument();
  });

  it('goes where it is clicked and dragged', async () => {
    const { audio, deck } = newDeck();
    render(
      <DeckProvider deck={deck}>
        <Player tape={tape} peaksUrl="/peaks" />
      </DeckProvider>,
    );
    const slider = screen.getByTestId('waveform');
    await vi.waitFor(() => expect(slider.querySelector('[data-drawn="true"]')).not.toBeNull());
    const box = slider.querySelector('[data-drawn]') as HTMLElement;
    box.getBoundingClientRect = () => ({ left: 100, width: 200 }) as DOMRect;
    let captured = false;
    slider.setPointerCapture = () => {
      captured = true;
    };
    slider.hasPointerCapture = () => captured;
    fireEvent.pointerMove(slider, { clientX: 250 });
    expect(audio.currentTime).toBe(0);
    fireEvent.pointerDown(slider, { clientX: 150 });
    expect(audio.currentTime).toBe(25);
    fireEvent.pointerMove(slider, { clientX: 400 });
    expect(audio.currentTime).toBe(100);
  });

  it('still plays when there is no picture of the sound', async () => {
    const { deck } = newDeck();
    render(
      <DeckProvider deck={deck}>
        <Player tape={{ ...tape, trackId: 'bad' }} peaksUrl="/bad" />
        <PlayButton tape={other} />
      </DeckProvider>,
    );
    expect(await screen.findByText(/it still plays/)).toBeInTheDocument();
    expect(screen.getByTestId('row-play')).toHaveAccessibleName('Play Sun');
  });
});
