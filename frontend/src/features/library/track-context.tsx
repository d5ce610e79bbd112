import { createContext, type ReactNode, useContext, useEffect, useSyncExternalStore } from 'react';
import type { TrackEntry, TrackPage, TrackStore } from './track-store';

const TracksContext = createContext<TrackStore | null>(null);

export function TracksProvider(props: { store: TrackStore; children: ReactNode }) {
  return <TracksContext value={props.store}>{props.children}</TracksContext>;
}

export function useTrackStore(): TrackStore {
  const store = useContext(TracksContext);
  if (store === null) throw new Error('useTrackStore needs a TracksProvider above it');
  return store;
}

/** A track by id; fetched once if nobody has it yet. */
export function useTrack(trackId: string): TrackEntry {
  const store = useTrackStore();
  useEffect(() => store.ensure(trackId), [store, trackId]);
  return useSyncExternalStore(
    (listener) => store.subscribe(listener),
    () => store.entry(trackId),
  );
}

export function useTrackPage(): TrackPage {
  const store = useTrackStore();
  return useSyncExternalStore(
    (listener) => store.subscribe(listener),
    () => store.page,
  );
}
