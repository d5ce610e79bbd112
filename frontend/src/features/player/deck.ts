/** What the deck needs to know of a track. */
export interface Tape {
  readonly trackId: string;
  readonly src: string;
  readonly title: string;
  readonly artist: string;
  /** Exact length from the track's own facts; a stream's header can't be trusted for it. */
  readonly durationSeconds: number;
}

export interface DeckState {
  readonly trackId: string | null;
  readonly playing: boolean;
  readonly positionSeconds: number;
  /** Why it doesn't play, for people; null if nothing is wrong. */
  readonly problem: string | null;
}

const IDLE: DeckState = { trackId: null, playing: false, positionSeconds: 0, problem: null };

/**
 * The one player of the page: starting a track stops the other. It streams through the
 * browser's own <audio> (Range requests); no file is ever decoded as a whole.
 */
export class Deck {
  readonly #audio: HTMLAudioElement;
  readonly #listeners = new Set<() => void>();
  #state: DeckState = IDLE;
  #frame = 0;

  constructor(audio: HTMLAudioElement) {
    this.#audio = audio;
    audio.preload = 'metadata';
    audio.addEventListener('play', () => this.#update({ playing: true, problem: null }));
    audio.addEventListener('pause', () => this.#update({ playing: false }));
    audio.addEventListener('timeupdate', () => this.#tick());
    audio.addEventListener('ended', () => this.#update({ playing: false, positionSeconds: 0 }));
    audio.addEventListener('error', () => {
      this.#update({ playing: false, problem: 'The audio could not be loaded. Try again.' });
    });
  }

  get state(): DeckState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Plays this tape, or pauses it if it plays. */
  toggle(tape: Tape): void {
    if (this.#state.trackId === tape.trackId && this.#state.playing) this.#audio.pause();
    else this.#play(tape);
  }

  /** Goes to a position; loads the tape if another one is on. */
  seek(tape: Tape, seconds: number): void {
    const position = Math.min(Math.max(0, seconds), tape.durationSeconds);
    this.#load(tape);
    this.#audio.currentTime = position;
    this.#update({ positionSeconds: position });
  }

  /** Stops if this track is on: it is gone. */
  eject(trackId: string): void {
    if (this.#state.trackId !== trackId) return;
    this.#audio.pause();
    this.#audio.removeAttribute('src');
    this.#update(IDLE);
  }

  #play(tape: Tape): void {
    if (this.#state.problem !== null) this.#update({ ...IDLE });
    this.#load(tape);
    this.#audio.play().catch((error: unknown) => {
      // A pause or another track in between is no failure.
      if (error instanceof Error && error.name === 'AbortError') return;
      this.#update({ playing: false, problem: 'The audio could not be played. Try again.' });
    });
  }

  #load(tape: Tape): void {
    if (this.#state.trackId === tape.trackId) return;
    this.#audio.src = tape.src;
    this.#update({ ...IDLE, trackId: tape.trackId });
    showOnLockScreen(tape);
  }

  #update(part: Partial<DeckState>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of [...this.#listeners]) listener();
    cancelAnimationFrame(this.#frame);
    if (this.#state.playing) this.#frame = requestAnimationFrame(() => this.#tick());
  }

  #tick(): void {
    if (this.#state.trackId === null || this.#audio.seeking) return;
    this.#update({ positionSeconds: this.#audio.currentTime });
  }
}

function showOnLockScreen(tape: Tape): void {
  if (!('mediaSession' in navigator) || typeof MediaMetadata === 'undefined') return;
  navigator.mediaSession.metadata = new MediaMetadata({ title: tape.title, artist: tape.artist });
}
