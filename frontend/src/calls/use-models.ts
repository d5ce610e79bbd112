import type { ApiError } from '@/api/errors';
import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';
import { useListing, useListings } from './listings';

export interface Models {
  readonly models: readonly Model[];
  readonly loaded: boolean;
  readonly error: ApiError | null;
  readonly reload: () => void;
}

/** The models that this studio's engines can use, installed or not. */
export function useModels(): Models {
  const listing = useListings().models;
  const { items, loaded, error } = useListing(listing);
  return { models: items, loaded, error, reload: () => void listing.reload() };
}
