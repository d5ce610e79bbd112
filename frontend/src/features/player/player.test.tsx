import { act, fireEvent, render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeAudio } from '@/testing/fake-audio';
import { Deck } from './deck';
import { DeckProvider } from './deck-context';
import { columns, columnsPath, loadPeaks } from './peaks';
import { PlayButton } from './play-button';
import { Player } from './player';
import { PreviewPlayer } from './preview-player';
import { type Tape, wholeTape } from './tape';
import { TapeNeedle } from './tape-needle';

const tape = wholeTape({
  tapeId: 't1',
  src: '/v1/tracks/t1/audio',
  title: 'Rain',
  artist: 'Ada',
  durationSeconds: 100,
});
const other = wholeTape({ ...tape, tapeId: 't2', src: '/v1/tracks/t2/audio', title: 'Sun' });

function newDeck(): { audio: FakeAudio; deck: Deck } {
  const audio = new FakeAudio();
  return { audio, deck: new Deck(audio.element, new FakeAudio().element) };
}

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
        <Player tape={{ ...tape, tapeId: 'bad' }} peaksUrl="/bad" />
        <PlayButton tape={other} />
      </DeckProvider>,
    );
    expect(await screen.findByText(/it still plays/)).toBeInTheDocument();
    expect(screen.getByTestId('row-play')).toHaveAccessibleName('Play Sun');
  });
});

describe('the player of what is still being made', () => {
  const made: Tape = {
    ...tape,
    tapeId: 'job-1',
    whole: false,
    stretches: [{ src: '/v1/artifacts/1/1/preview-0.flac', startSeconds: 0, durationSeconds: 20 }],
  };

  it('offers what is there, and says when it waits for more', async () => {
    const { audio, deck } = newDeck();
    const { rerender } = render(
      <DeckProvider deck={deck}>
        <PreviewPlayer tape={made} />
      </DeckProvider>,
    );
    expect(screen.getByTestId('preview-status')).toHaveTextContent('Listen already');
    expect(screen.getByTestId('preview-time')).toHaveTextContent('0:20 ready');
    await userEvent.click(screen.getByRole('button', { name: 'Play Rain' }));
    act(() => audio.runTo(8));
    expect(screen.getByTestId('preview-time')).toHaveTextContent('0:08 / 1:40, 0:20 ready');
    const slider = screen.getByRole('slider', { name: 'Position in Rain' });
    expect(slider).toHaveAttribute('aria-valuetext', '0:08 of 1:40, 0:20 can be heard');
    fireEvent.keyDown(slider, { key: 'End' });
    expect(deck.state.positionSeconds).toBe(20);
    expect(screen.getByTestId('preview-status')).toHaveTextContent('Waiting for more…');
    rerender(
      <DeckProvider deck={deck}>
        <PreviewPlayer tape={{ ...made, stretches: [] }} />
      </DeckProvider>,
    );
    expect(screen.getByTestId('preview-time')).toHaveTextContent('0:20 ready');
  });

  it('is not there before there is something to hear', () => {
    const { deck } = newDeck();
    render(
      <DeckProvider deck={deck}>
        <PreviewPlayer tape={{ ...made, stretches: [] }} />
      </DeckProvider>,
    );
    expect(screen.queryByTestId('preview')).toBeNull();
  });

  it('shows where a tape plays as a needle over a picture', () => {
    const { audio, deck } = newDeck();
    render(
      <DeckProvider deck={deck}>
        <TapeNeedle tapeId="t1" seconds={80} />
      </DeckProvider>,
    );
    expect(screen.queryByTestId('tape-needle')).toBeNull();
    act(() => deck.toggle(tape));
    act(() => audio.runTo(20));
    expect(screen.getByTestId('tape-needle')).toHaveStyle({ left: '25%' });
  });
});
