import { useCallback, useEffect, useRef, useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { useOnLive } from '@/watch/react';

export interface Engines {
  readonly engines: readonly Engine[];
  readonly error: ApiError | null;
  readonly reload: () => void;
}

/** The engines of this studio, asked for once and again when it comes back. */
export function useEngines(): Engines {
  const { inference } = useClients();
  const [engines, setEngines] = useState<readonly Engine[]>([]);
  const [error, setError] = useState<ApiError | null>(null);
  const load = useCallback(
    (signal?: AbortSignal) => {
      setError(null);
      inference.listEngines({}, signal === undefined ? {} : { signal }).then(
        (answer) => setEngines(answer.engines),
        (thrown: unknown) => {
          if (!signal?.aborted) setError(readError(thrown));
        },
      );
    },
    [inference],
  );
  useEffect(() => {
    const life = new AbortController();
    load(life.signal);
    return () => life.abort();
  }, [load]);
  const wasLive = useRef(false);
  useOnLive(() => {
    // A studio that comes back may have other engines, or the same in better health.
    if (wasLive.current || error !== null) load();
    wasLive.current = true;
  });
  return { engines, error, reload: () => load() };
}
