import { useState } from 'react';
import type { ApiError } from '@/api/errors';
import { useOnLive } from './react';

/** What a call of this component came to. "Does not answer" ends when the studio is back. */
export function useCallError(): [
  ApiError | null,
  (next: ApiError | null | ((now: ApiError | null) => ApiError | null)) => void,
] {
  const [error, setError] = useState<ApiError | null>(null);
  useOnLive(() => {
    if (error?.reason === 'UNREACHABLE') setError(null);
  });
  return [error, setError];
}
