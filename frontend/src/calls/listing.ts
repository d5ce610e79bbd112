import { type ApiError, readError } from '@/api/errors';

/** A list that the studio tells, as far as it is known. */
export interface Listed<Item> {
  readonly items: readonly Item[];
  /** Whether it was told at least once: before that, no items mean nothing. */
  readonly loaded: boolean;
  readonly error: ApiError | null;
}

/** One list for all who look at it: asked for when somebody first does. */
export class Listing<Item> {
  readonly #ask: () => Promise<readonly Item[]>;
  readonly #listeners = new Set<() => void>();
  #state: Listed<Item> = { items: [], loaded: false, error: null };
  #asked = 0;

  constructor(ask: () => Promise<readonly Item[]>) {
    this.#ask = ask;
  }

  get state(): Listed<Item> {
    return this.#state;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks for it unless that was done. */
  ensure(): void {
    if (this.#asked === 0) void this.reload();
  }

  /** Asks again if anybody ever looked. */
  refresh(): void {
    if (this.#asked > 0) void this.reload();
  }

  /** Asks for it as it is now; an answer that is overtaken by a later one is dropped. */
  async reload(): Promise<void> {
    this.#asked += 1;
    const ask = this.#asked;
    try {
      const items = await this.#ask();
      if (ask === this.#asked) this.#set({ items, loaded: true, error: null });
    } catch (thrown) {
      if (ask === this.#asked) this.#set({ ...this.#state, error: readError(thrown) });
    }
  }

  #set(state: Listed<Item>): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener();
  }
}
