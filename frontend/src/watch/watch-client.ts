import { Code, ConnectError } from '@connectrpc/connect';
import type { WatchJobsResponse } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { backoffMs } from './backoff';

/** Whether what is on screen is what the studio knows now. */
export type Connection = 'connecting' | 'live' | 'reconnecting';

/** Opens the stream; must end when the signal aborts. */
export type OpenWatch = (
  cursor: string,
  signal: AbortSignal,
  onHeaders: () => void,
) => AsyncIterable<WatchJobsResponse>;

export interface WatchHooks {
  /** The cursor of the state that the frames were folded into; empty for none. */
  cursor(): string;
  /** A new stream begins: a half-told snapshot is worth nothing. */
  onOpen(): void;
  onFrame(frame: WatchJobsResponse): void;
  onConnection(connection: Connection): void;
}

/** Time and chance, so that tests need neither. */
export interface Chance {
  now(): number;
  random(): number;
}

const REAL_CHANCE: Chance = { now: () => performance.now(), random: () => Math.random() };

/** A bookmark comes every 10 s: a stream silent for longer than this is dead. */
const SILENCE_MS = 25_000;
/** A stream that ends well before this was no good, even if it ended with OK. */
const SHORT_LIFE_MS = 1_000;

/** Keeps one watch going: resumes with the cursor, waits longer after each failure. */
export class WatchClient {
  readonly #open: OpenWatch;
  readonly #hooks: WatchHooks;
  readonly #chance: Chance;
  #wake: (() => void) | null = null;

  constructor(open: OpenWatch, hooks: WatchHooks, chance: Chance = REAL_CHANCE) {
    this.#open = open;
    this.#hooks = hooks;
    this.#chance = chance;
  }

  /** Watches until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    let startOver = false;
    while (!signal.aborted) {
      const startMs = this.#chance.now();
      const end = await this.#watchOnce(startOver ? '' : this.#hooks.cursor(), signal);
      if (signal.aborted) return;
      const compacted = end.error?.code === Code.OutOfRange;
      const goOnAtOnce = compacted && !startOver;
      startOver = compacted;
      if (goOnAtOnce) continue;
      const lived = end.frames > 0 && this.#chance.now() - startMs >= SHORT_LIFE_MS;
      if (!lived) failures += 1;
      else failures = end.error === null ? 0 : 1;
      if (failures === 0) continue; // the server ends each watch now and then
      this.#hooks.onConnection('reconnecting');
      await this.#pause(backoffMs(failures, this.#chance.random), signal);
    }
  }

  /** Ends a pause now: the network is back, or somebody is looking again. */
  poke(): void {
    this.#wake?.();
  }

  async #watchOnce(
    cursor: string,
    signal: AbortSignal,
  ): Promise<{ frames: number; error: ConnectError | null }> {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    signal.addEventListener('abort', stop);
    let watchdog = setTimeout(stop, SILENCE_MS);
    let frames = 0;
    this.#hooks.onOpen();
    try {
      const stream = this.#open(cursor, attempt.signal, () => this.#hooks.onConnection('live'));
      for await (const frame of stream) {
        clearTimeout(watchdog);
        watchdog = setTimeout(stop, SILENCE_MS);
        if (signal.aborted) break;
        frames += 1;
        this.#hooks.onConnection('live');
        this.#hooks.onFrame(frame);
      }
      return { frames, error: null };
    } catch (thrown) {
      return { frames, error: ConnectError.from(thrown) };
    } finally {
      clearTimeout(watchdog);
      signal.removeEventListener('abort', stop);
      attempt.abort(); // frees the connection if the loop was left early
    }
  }

  #pause(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
      this.#wake = done;
    });
  }
}
