import type { ApiError } from '@/api/errors';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { useListing, useListings } from './listings';

export interface Engines {
  readonly engines: readonly Engine[];
  readonly loaded: boolean;
  readonly error: ApiError | null;
  readonly reload: () => void;
}

/** The engines of this studio. */
export function useEngines(): Engines {
  const listing = useListings().engines;
  const { items, loaded, error } = useListing(listing);
  return { engines: items, loaded, error, reload: () => void listing.reload() };
}
