import { type ApiError, localFieldError, UNREACHABLE } from '@/api/errors';
import { newRequestId } from '@/api/request-id';
import { BrokenOff, Refused, type Uploads } from '@/api/uploads';
import { backoffMs } from '@/watch/backoff';

/** So small that it is on its way as a whole: a refusal is heard though it isn't read to its end. */
const FIRST_PART_BYTES = 64 * 1024;
const ATTEMPTS_WITHOUT_PROGRESS = 5;

export interface UploadState {
  /** waiting: the connection broke, and is tried again; stopped: it goes on when asked to. */
  readonly phase: 'sending' | 'waiting' | 'stopped' | 'done';
  readonly sentBytes: number;
  /** Why it was given up. */
  readonly error: ApiError | null;
}

/** One file on its way to the studio, over as many connections as it takes. */
export class FileUpload {
  readonly uploadId = newRequestId();
  readonly file: File;
  readonly #uploads: Uploads;
  readonly #listeners = new Set<() => void>();
  #state: UploadState = { phase: 'sending', sentBytes: 0, error: null };
  #life: AbortController | null = null;
  #wake: (() => void) | null = null;
  /** Whether anything was sent: after that only the studio knows how much of it has arrived. */
  #begun = false;
  #arrivedBytes = 0;

  constructor(file: File, uploads: Uploads) {
    this.file = file;
    this.#uploads = uploads;
  }

  get state(): UploadState {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Begins, or goes on where it was; ends a pause between two attempts. */
  start(): void {
    if (this.#state.phase === 'done') return;
    this.#wake?.();
    if (this.#life !== null) return;
    this.#life = new AbortController();
    void this.#run(this.#life.signal);
  }

  /** Breaks it off. What has arrived stays with the studio for a while. */
  stop(): void {
    this.#life?.abort();
    this.#life = null;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    this.#set({ phase: 'sending', error: null });
    while (!signal.aborted) {
      const before = this.#arrivedBytes;
      const error = await this.#try(signal);
      if (signal.aborted) return;
      if (error === null) {
        this.#life = null;
        this.#set({ phase: 'done', sentBytes: this.file.size });
        return;
      }
      failures = this.#arrivedBytes > before ? 1 : failures + 1;
      if (error !== UNREACHABLE || failures >= ATTEMPTS_WITHOUT_PROGRESS) {
        this.#life = null;
        this.#set({ phase: 'stopped', error });
        return;
      }
      this.#set({ phase: 'waiting' }); // how much has arrived is asked then
      await this.#pause(backoffMs(failures, Math.random), signal);
    }
  }

  /** One attempt; null if all has arrived then. UNREACHABLE is worth another one. */
  async #try(signal: AbortSignal): Promise<ApiError | null> {
    try {
      await this.#attempt(signal);
      return null;
    } catch (thrown) {
      if (thrown instanceof Refused) return thrown.error;
      if (!(thrown instanceof BrokenOff)) throw thrown;
      return (await isReadable(this.file)) ? UNREACHABLE : unreadable(this.file);
    }
  }

  async #attempt(signal: AbortSignal): Promise<void> {
    const { uploadId, file } = this;
    let arrived = { bytes: 0, whole: false };
    if (this.#begun) arrived = await this.#uploads.arrived(uploadId, file.size, signal);
    this.#begun = true;
    for (const mostBytes of [FIRST_PART_BYTES, file.size]) {
      if (arrived.whole) return;
      const fromByte = arrived.bytes;
      this.#learn(fromByte);
      const part = { uploadId, file, fromByte, toByte: Math.min(file.size, fromByte + mostBytes) };
      arrived = await this.#uploads.send(part, signal, (bytes) => {
        if (!signal.aborted) this.#set({ sentBytes: fromByte + bytes });
      });
    }
    if (arrived.whole) return;
    this.#learn(arrived.bytes);
    throw new BrokenOff('the studio has less than was sent');
  }

  #learn(arrivedBytes: number): void {
    this.#arrivedBytes = arrivedBytes;
    this.#set({ phase: 'sending', sentBytes: arrivedBytes });
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

  #set(part: Partial<UploadState>): void {
    this.#state = { ...this.#state, ...part };
    for (const listener of [...this.#listeners]) listener();
  }
}

const MUSIC = /^(?:audio\/|video\/|application\/(?:ogg|octet-stream)$|$)/;

/** What this side can tell of a file that is of no use; the studio judges the rest. */
export function faultOf(file: File): ApiError | null {
  if (file.size === 0) return fault(`“${file.name}” is empty.`, 'Choose a file with music in it.');
  if (MUSIC.test(file.type)) return null;
  const remedy = 'Choose a WAV, FLAC, MP3, Opus, OGG or M4A file.';
  return fault(`“${file.name}” is no music file.`, remedy);
}

/** A file that was changed, moved or unplugged since it was chosen can't be read any more. */
async function isReadable(file: File): Promise<boolean> {
  try {
    await file.slice(0, 1).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

function unreadable(file: File): ApiError {
  return fault(`“${file.name}” can’t be read any more.`, 'Choose it again.');
}

function fault(message: string, remedy: string): ApiError {
  return localFieldError('style_audio', message, remedy);
}
