import {
  createContext,
  type ReactNode,
  useContext,
  useEffect,
  useEffectEvent,
  useSyncExternalStore,
} from 'react';
import type { JobsView } from './fold';
import type { JobsStore } from './jobs-store';
import type { Connection } from './watch-client';

const JobsContext = createContext<JobsStore | null>(null);

export function JobsProvider(props: { store: JobsStore; children: ReactNode }) {
  return <JobsContext value={props.store}>{props.children}</JobsContext>;
}

export function useJobsStore(): JobsStore {
  const store = useContext(JobsContext);
  if (store === null) throw new Error('useJobsStore needs a JobsProvider above it');
  return store;
}

export function useJobsView(): JobsView {
  const store = useJobsStore();
  return useSyncExternalStore(
    (listener) => store.subscribe(listener),
    () => store.view,
  );
}

export function useConnection(): Connection {
  const store = useJobsStore();
  return useSyncExternalStore(
    (listener) => store.subscribe(listener),
    () => store.connection,
  );
}

/** Does something each time the studio is reached again: what failed meanwhile is tried anew. */
export function useOnLive(onLive: () => void): void {
  const live = useConnection() === 'live';
  const run = useEffectEvent(onLive);
  useEffect(() => {
    if (live) run();
  }, [live]);
}
