import type { Clients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';

/** A track as far as it is known. */
export type TrackEntry =
  | { readonly state: 'loading' }
  | { readonly state: 'ready'; readonly track: Track }
  | { readonly state: 'missing' }
  | { readonly state: 'failed'; readonly error: ApiError };

const LOADING: TrackEntry = { state: 'loading' };
const MISSING: TrackEntry = { state: 'missing' };

/** The list of tracks as far as it was loaded. */
export interface TrackPage {
  readonly trackIds: readonly string[];
  readonly query: string;
  readonly nextPageToken: string;
  readonly loaded: boolean;
  readonly busy: boolean;
  readonly error: ApiError | null;
}

const NO_PAGE: TrackPage = {
  trackIds: [],
  query: '',
  nextPageToken: '',
  loaded: false,
  busy: false,
  error: null,
};

const PAGE_SIZE = 30;

/** Every track that is on screen, once: a card and a row of the list show the same one. */
export class TrackStore {
  readonly #library: Clients['library'];
  readonly #entries = new Map<string, TrackEntry>();
  readonly #listeners = new Set<() => void>();
  #page: TrackPage = NO_PAGE;
  #asked = 0;

  constructor(library: Clients['library']) {
    this.#library = library;
  }

  get page(): TrackPage {
    return this.#page;
  }

  entry(trackId: string): TrackEntry {
    return this.#entries.get(trackId) ?? LOADING;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Gets a track unless it is known or on its way. */
  ensure(trackId: string): void {
    if (this.#entries.has(trackId)) return;
    void this.reload(trackId);
  }

  /** Gets a track as it is now. */
  async reload(trackId: string): Promise<void> {
    if (this.#entries.get(trackId)?.state !== 'ready') this.#keep(trackId, LOADING);
    try {
      const { track } = await this.#library.getTrack({ trackId });
      if (track !== undefined) this.put(track);
    } catch (thrown) {
      const error = readError(thrown);
      this.#keep(
        trackId,
        error.reason === 'TRACK_NOT_FOUND' ? MISSING : { state: 'failed', error },
      );
    }
  }

  /** Takes in a track that a call returned. */
  put(track: Track): void {
    this.#keep(track.trackId, { state: 'ready', track });
  }

  /** The track is gone. */
  drop(trackId: string): void {
    this.#page = {
      ...this.#page,
      trackIds: this.#page.trackIds.filter((listed) => listed !== trackId),
    };
    this.#keep(trackId, MISSING);
  }

  /** Loads the first page of a search; an answer that is overtaken by a later one is dropped. */
  async search(query: string): Promise<void> {
    await this.#load(query, '', []);
  }

  async more(): Promise<void> {
    const { query, nextPageToken, trackIds, busy } = this.#page;
    if (busy || nextPageToken === '') return;
    await this.#load(query, nextPageToken, trackIds);
  }

  /** Puts a track that was just made at the head of the list. */
  async addNew(trackId: string): Promise<void> {
    if (this.#page.query !== '' || this.#page.trackIds.includes(trackId)) return;
    const known = this.#entries.get(trackId)?.state;
    if (known === undefined) await this.reload(trackId);
    if (this.entry(trackId).state === 'missing' || this.#page.trackIds.includes(trackId)) return;
    this.#setPage({ trackIds: [trackId, ...this.#page.trackIds] });
  }

  async #load(query: string, pageToken: string, before: readonly string[]): Promise<void> {
    this.#asked += 1;
    const ask = this.#asked;
    this.#setPage({ query, busy: true, error: null });
    try {
      const answer = await this.#library.listTracks({ pageSize: PAGE_SIZE, pageToken, query });
      if (ask !== this.#asked) return;
      for (const track of answer.tracks) {
        this.#entries.set(track.trackId, { state: 'ready', track });
      }
      const trackIds = [...new Set([...before, ...answer.tracks.map((track) => track.trackId)])];
      this.#setPage({
        trackIds,
        nextPageToken: answer.nextPageToken,
        loaded: true,
        busy: false,
      });
    } catch (thrown) {
      if (ask === this.#asked) this.#setPage({ busy: false, error: readError(thrown) });
    }
  }

  #setPage(part: Partial<TrackPage>): void {
    this.#page = { ...this.#page, ...part };
    this.#tell();
  }

  #keep(trackId: string, entry: TrackEntry): void {
    this.#entries.set(trackId, entry);
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
