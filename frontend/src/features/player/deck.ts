import { Head } from './head';
import { availableSeconds, endOf, sameStretches, stretchAt, type Tape } from './tape';

export interface DeckState {
  readonly tapeId: string | null;
  /** Whether it plays, or would if there were more of the tape. */
  readonly playing: boolean;
  /** It came to the end of what there is, and goes on by itself when more comes. */
  readonly waiting: boolean;
  readonly positionSeconds: number;
  /** Why it doesn't play, for people; null if nothing is wrong. */
  readonly problem: string | null;
}

export const IDLE: DeckState = {
  tapeId: null,
  playing: false,
  waiting: false,
  positionSeconds: 0,
  problem: null,
};

/** How far ahead of the sound the other head gets ready to take over. */
const LEAD_SECONDS = 0.6;
/** A position this far from where the head stands is one to go to. */
const AWAY_SECONDS = 0.3;

/**
 * The one player of the page: starting a tape stops the other. It streams through the
 * browser's own <audio> (Range requests); no file is ever decoded as a whole.
 *
 * It has two heads. While one plays a stretch, the other has the next one ready, or the
 * finished track that takes over from its previews, so that the music doesn't stop there.
 */
export class Deck {
  #on: Head;
  #spare: Head;
  readonly #listeners = new Set<() => void>();
  #tape: Tape | null = null;
  #state: DeckState = IDLE;
  /** Another tape holds the same piece: the spare head takes over at a meeting point. */
  #takingOver = false;
  #frame = 0;

  constructor(audio: HTMLAudioElement, spare: HTMLAudioElement = document.createElement('audio')) {
    this.#on = new Head(audio, 'metadata');
    this.#spare = new Head(spare, 'auto');
    for (const head of [this.#on, this.#spare]) {
      const hear = (event: string, heard: () => void, heardOnSpare = () => {}) =>
        head.audio.addEventListener(event, () => (head === this.#on ? heard() : heardOnSpare()));
      hear('play', () => this.#update({ playing: true, waiting: false, problem: null }));
      hear('pause', () => this.#paused());
      hear('timeupdate', () => this.#tick());
      hear('ended', () => this.#ended());
      const arrived = () => this.#takingOver && this.#tick();
      hear('canplay', () => {}, arrived);
      hear('seeked', () => {}, arrived);
      hear(
        'error',
        () => this.#failed(),
        () => this.#spareFailed(),
      );
    }
  }

  get state(): DeckState {
    return this.#state;
  }

  /** What is on. */
  get tape(): Tape | null {
    return this.#tape;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Plays this tape, or pauses it if it plays. */
  toggle(tape: Tape): void {
    if (this.#state.tapeId === tape.tapeId && this.#state.playing) {
      this.#on.audio.pause();
      this.#update({ playing: false, waiting: false });
    } else {
      this.play(tape);
    }
  }

  /** Plays this tape from where it stands, or from a position. */
  play(tape: Tape, fromSeconds?: number): void {
    if (this.#state.problem !== null) this.#update(IDLE);
    this.#putOn(tape);
    // Within a press: browsers that let only such elements sound let the spare one later.
    if (!tape.whole && this.#spare.stretch === null) this.#spare.audio.load();
    if (fromSeconds !== undefined) this.seek(tape, fromSeconds);
    this.#goOn();
  }

  /** Goes to a position as far as there is one; puts the tape on if another one is. */
  seek(tape: Tape, seconds: number): void {
    this.#putOn(tape);
    const end = tape.whole ? tape.durationSeconds : availableSeconds(tape);
    const position = Math.min(Math.max(0, seconds), end);
    this.#takingOver = false;
    this.#update({ positionSeconds: position });
    const stretch = stretchAt(tape, position);
    if (this.#state.playing && (stretch !== undefined || !tape.whole)) {
      this.#goOn();
      return;
    }
    const there = stretch ?? tape.stretches.at(-1);
    if (there !== undefined) this.#on.load(there);
    this.#on.seek(position);
  }

  /** There is more of a tape, or it is in other files now. Goes on if it waited for that. */
  update(tape: Tape): void {
    if (this.#tape === null || this.#tape.tapeId !== tape.tapeId) return;
    if (tape.stretches.length === 0 || sameStretches(this.#tape, tape)) return;
    this.#tape = tape;
    if (this.#state.waiting) this.#goOn();
    else this.#getNextReady();
  }

  /** The piece that is on lies on another tape now: that one goes on where this one is. */
  handOver(fromTapeId: string, tape: Tape): void {
    if (this.#state.tapeId !== fromTapeId) return;
    this.#tape = tape;
    const { playing, waiting, positionSeconds } = this.#state;
    const sounding = playing && !waiting;
    this.#update({ tapeId: tape.tapeId });
    showOnLockScreen(tape);
    if (sounding) this.#takeOver(positionSeconds);
    else if (waiting) this.#goOn();
    else this.seek(tape, positionSeconds);
  }

  /** Stops if this tape is on: it is gone. */
  eject(tapeId: string): void {
    if (this.#state.tapeId !== tapeId) return;
    this.#takeOff();
    this.#update(IDLE);
  }

  #putOn(tape: Tape): void {
    if (this.#state.tapeId === tape.tapeId) return;
    this.#takingOver = false;
    this.#spare.clear();
    this.#tape = tape;
    this.#update({ ...IDLE, tapeId: tape.tapeId });
    showOnLockScreen(tape);
  }

  #takeOff(): void {
    this.#takingOver = false;
    this.#on.clear();
    this.#spare.clear();
    this.#tape = null;
  }

  /** Plays from the present position, or waits for what is not there yet. */
  #goOn(): void {
    if (this.#tape === null) return;
    this.#takingOver = false;
    const position = this.#state.positionSeconds;
    const stretch = stretchAt(this.#tape, position);
    if (stretch === undefined) {
      const { whole } = this.#tape;
      this.#on.audio.pause();
      this.#update({ playing: !whole, waiting: !whole, ...(whole ? { positionSeconds: 0 } : {}) });
      return;
    }
    if (!this.#on.holds(stretch) && this.#spare.holds(stretch)) {
      this.#swap();
      this.#spare.audio.pause();
    }
    const fresh = !this.#on.holds(stretch);
    this.#on.load(stretch);
    if (fresh || Math.abs(this.#on.position - position) > AWAY_SECONDS) this.#on.seek(position);
    this.#start();
    this.#getNextReady();
  }

  #start(): void {
    this.#on.audio.play().catch((error: unknown) => {
      // A pause or another tape in between is no failure.
      if (error instanceof Error && error.name === 'AbortError') return;
      if (this.#tape?.whole !== false) {
        this.#update({ playing: false, problem: 'The audio could not be played. Try again.' });
      } else if (error instanceof Error && error.name === 'NotAllowedError') {
        this.#update({ playing: false, waiting: false }); // it takes another press
      }
    });
  }

  #getNextReady(): void {
    if (this.#tape === null || this.#takingOver || this.#on.stretch === null) return;
    const next = stretchAt(this.#tape, endOf(this.#on.stretch));
    if (next !== undefined) this.#spare.load(next);
  }

  #ended(): void {
    const end = this.#on.stretch === null ? 0 : endOf(this.#on.stretch);
    this.#update({ positionSeconds: end });
    this.#goOn();
  }

  #paused(): void {
    // At the end of a file the browser says "pause" before it says "ended".
    if (this.#on.audio.ended || this.#state.waiting) return;
    this.#update({ playing: false });
  }

  /** Gets the spare head ready a little ahead; #tick lets it take over when they meet. */
  #takeOver(position: number): void {
    this.#takingOver = false;
    const meeting = position + LEAD_SECONDS;
    const stretch = this.#tape === null ? undefined : stretchAt(this.#tape, meeting);
    if (stretch === undefined) return; // so near the end the preview may as well finish it
    this.#spare.load(stretch);
    this.#spare.seek(meeting);
    this.#takingOver = true;
  }

  #meet(): void {
    const [now, there] = [this.#on.position, this.#spare.position];
    if (!this.#spare.ready || now < there) return;
    if (now - there > LEAD_SECONDS) {
      this.#takeOver(now); // it took too long; once more from here
      return;
    }
    this.#takingOver = false;
    const before = this.#on;
    this.#swap();
    this.#start();
    before.clear();
  }

  #swap(): void {
    [this.#on, this.#spare] = [this.#spare, this.#on];
  }

  #failed(): void {
    this.#on.forget();
    if (this.#tape?.whole === false) {
      // What is still being made moves and goes: that is no trouble of the listener's.
      this.#update({ waiting: this.#state.playing });
      return;
    }
    const problem = 'The audio could not be loaded. Try again.';
    this.#update({ playing: false, waiting: false, problem });
  }

  #spareFailed(): void {
    this.#spare.forget();
    this.#takingOver = false; // when its turn comes it is tried once more, and then it tells
  }

  #update(part: Partial<DeckState>): void {
    const before = this.#state;
    const now = { ...before, ...part };
    if ((Object.keys(now) as (keyof DeckState)[]).some((name) => now[name] !== before[name])) {
      this.#state = now;
      for (const listener of [...this.#listeners]) listener();
    }
    cancelAnimationFrame(this.#frame);
    const { playing, waiting } = this.#state;
    if (playing && !waiting) this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #tick(): void {
    if (this.#state.tapeId === null) return;
    if (this.#takingOver) this.#meet();
    if (this.#on.audio.seeking || this.#on.stretch === null) return;
    this.#update({ positionSeconds: this.#on.position });
  }
}

function showOnLockScreen(tape: Tape): void {
  if (!('mediaSession' in navigator) || typeof MediaMetadata === 'undefined') return;
  navigator.mediaSession.metadata = new MediaMetadata({ title: tape.title, artist: tape.artist });
}
