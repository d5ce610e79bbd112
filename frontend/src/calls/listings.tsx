import { createContext, type ReactNode, useContext, useEffect, useSyncExternalStore } from 'react';
import type { Clients } from '@/api/clients';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';
import { type Listed, Listing } from './listing';

/** What this studio can make music with. */
export interface Listings {
  readonly engines: Listing<Engine>;
  readonly models: Listing<Model>;
}

export function createListings(clients: Clients): Listings {
  return {
    engines: new Listing(async () => (await clients.inference.listEngines({})).engines),
    models: new Listing(async () => (await clients.models.listModels({})).models),
  };
}

const ListingsContext = createContext<Listings | null>(null);

export function ListingsProvider(props: { listings: Listings; children: ReactNode }) {
  return <ListingsContext value={props.listings}>{props.children}</ListingsContext>;
}

export function useListings(): Listings {
  const listings = useContext(ListingsContext);
  if (listings === null) throw new Error('useListings needs a ListingsProvider above it');
  return listings;
}

/** A list as it is known now; asked for once if nobody has yet. */
export function useListing<Item>(listing: Listing<Item>): Listed<Item> {
  useEffect(() => listing.ensure(), [listing]);
  return useSyncExternalStore(
    (listener) => listing.subscribe(listener),
    () => listing.state,
  );
}
