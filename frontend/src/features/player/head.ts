import { endOf, type Stretch } from './tape';

const ENOUGH_DATA = 3; // HTMLMediaElement.HAVE_FUTURE_DATA

/** A reading head: one <audio>, the stretch that lies under it, and where in the piece it is. */
export class Head {
  readonly audio: HTMLAudioElement;
  #stretch: Stretch | null = null;

  constructor(audio: HTMLAudioElement, preload: 'metadata' | 'auto') {
    this.audio = audio;
    audio.preload = preload;
  }

  get stretch(): Stretch | null {
    return this.#stretch;
  }

  /** Where in the piece it reads. */
  get position(): number {
    return (this.#stretch?.startSeconds ?? 0) + this.audio.currentTime;
  }

  /** Whether it could start at once where it stands. */
  get ready(): boolean {
    return this.#stretch !== null && !this.audio.seeking && this.audio.readyState >= ENOUGH_DATA;
  }

  holds(stretch: Stretch | undefined): boolean {
    return stretch !== undefined && this.#stretch?.src === stretch.src;
  }

  /** Lays a stretch under it, unless that is there already. */
  load(stretch: Stretch): void {
    if (!this.holds(stretch)) this.audio.src = stretch.src;
    this.#stretch = stretch;
  }

  /** Goes to a position of the piece, within its stretch. */
  seek(seconds: number): void {
    if (this.#stretch === null) return;
    const within = Math.min(seconds, endOf(this.#stretch)) - this.#stretch.startSeconds;
    this.audio.currentTime = Math.max(0, within);
  }

  /** Forgets its stretch: the next load fetches it anew. */
  forget(): void {
    this.#stretch = null;
  }

  clear(): void {
    this.audio.pause();
    this.audio.removeAttribute('src');
    this.#stretch = null;
  }
}
