import type { Transport } from '@connectrpc/connect';
import { type Clients, createClients } from '@/api/clients';
import type { Uploads } from '@/api/uploads';
import { createListings, type Listings } from '@/calls/listings';
import { Downloads, type SaveFile } from '@/features/library/downloads';
import { TrackStore } from '@/features/library/track-store';
import { PlanDrafts } from '@/features/plan/drafts';
import { Deck } from '@/features/player/deck';
import { JobsStore } from '@/watch/jobs-store';
import { TabHub } from '@/watch/tab-hub';
import type { Tabs } from '@/watch/tabs';
import type { OpenWatch } from '@/watch/watch-client';
import { keepCurrent } from './keep-current';
import { listenAlong } from './listen-along';

/** Everything of the page that lives outside React. */
export interface Studio {
  readonly clients: Clients;
  readonly jobs: JobsStore;
  readonly hub: TabHub;
  readonly tracks: TrackStore;
  readonly downloads: Downloads;
  readonly drafts: PlanDrafts;
  readonly deck: Deck;
  readonly listings: Listings;
}

export interface Outside {
  readonly transport: Transport;
  readonly uploads: Uploads;
  readonly tabs: Tabs;
  readonly audio: HTMLAudioElement;
  /** The deck's second head; made here if there is none. */
  readonly spareAudio?: HTMLAudioElement;
  readonly saveFile?: SaveFile;
}

export function createStudio(outside: Outside): Studio {
  const clients = createClients(outside.transport, outside.uploads);
  const jobs = new JobsStore();
  const open: OpenWatch = (cursor, signal, onHeader) =>
    clients.jobs.watchJobs({ cursor }, { signal, onHeader });
  const tracks = new TrackStore(clients.library);
  const deck = new Deck(outside.audio, outside.spareAudio);
  listenAlong(jobs, tracks, deck);
  const listings = createListings(clients);
  keepCurrent(jobs, listings);
  const drafts = new PlanDrafts();
  tracks.subscribe(() => drafts.dropGone((trackId) => tracks.entry(trackId).state === 'missing'));
  return {
    clients,
    jobs,
    hub: new TabHub(jobs, open, outside.tabs),
    tracks,
    downloads: new Downloads(jobs, outside.saveFile),
    drafts,
    deck,
    listings,
  };
}

/** Watches while the page is there. Returns what ends it. */
export function watchWhileShown(hub: TabHub, page: Window = window): () => void {
  const over = new AbortController();
  const { signal } = over;
  hub.start();
  // A page in the back-forward cache must not keep the stream and the lock.
  page.addEventListener('pagehide', () => hub.stop(), { signal });
  page.addEventListener('pageshow', () => hub.start(), { signal });
  page.addEventListener('online', () => hub.poke(), { signal });
  page.document.addEventListener('visibilitychange', () => hub.poke(), { signal });
  return () => {
    over.abort();
    hub.stop();
  };
}
