/** An <audio> whose clock the test turns. */
export class FakeAudio extends EventTarget {
  #src = '';
  preload = '';
  currentTime = 0;
  seeking = false;
  paused = true;
  ended = false;
  readyState = 0;
  /** What the next starts are refused with. */
  playError: Error | null = null;

  get element(): HTMLAudioElement {
    return this as unknown as HTMLAudioElement;
  }

  get src(): string {
    return this.#src;
  }

  /** Another file: it is at its start, and stands. */
  set src(src: string) {
    this.#src = src;
    this.currentTime = 0;
    this.readyState = 0;
    this.paused = true;
    this.ended = false;
  }

  async play(): Promise<void> {
    if (this.playError !== null) throw this.playError;
    this.paused = false;
    this.ended = false;
    this.dispatchEvent(new Event('play'));
  }

  pause(): void {
    if (this.paused) return;
    this.paused = true;
    this.dispatchEvent(new Event('pause'));
  }

  load(): void {}

  removeAttribute(): void {
    this.src = '';
  }

  /** Plays on to a place in its file. */
  runTo(seconds: number): void {
    this.currentTime = seconds;
    this.dispatchEvent(new Event('timeupdate'));
  }

  /** Comes to the end of its file, and says so as browsers do. */
  end(seconds: number): void {
    this.currentTime = seconds;
    this.paused = true;
    this.ended = true;
    this.dispatchEvent(new Event('pause'));
    this.dispatchEvent(new Event('ended'));
  }

  /** Has enough of its file to start where it stands. */
  arrive(): void {
    this.readyState = 4;
    this.dispatchEvent(new Event('canplay'));
  }

  /** Cannot load its file. */
  fail(): void {
    this.paused = true;
    this.dispatchEvent(new Event('error'));
  }
}
