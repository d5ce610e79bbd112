import { useState } from 'react';
import { type ApiError, readError } from '@/api/errors';
import { useCallError } from '@/watch/use-call-error';

export interface Call {
  readonly busy: boolean;
  /** Whether it was made from this page at all. */
  readonly asked: boolean;
  readonly error: ApiError | null;
  /** Calls, unless a call is under way; whether it went well. */
  readonly ask: (call: () => Promise<unknown>) => Promise<boolean>;
}

/** One call at a time, of which only the effect matters: the watch shows that. */
export function useCall(): Call {
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState(false);
  const [error, setError] = useCallError();
  return {
    busy,
    asked,
    error,
    ask: async (call) => {
      if (busy) return false;
      setBusy(true);
      setAsked(true);
      setError(null);
      try {
        await call();
        return true;
      } catch (thrown) {
        setError(readError(thrown));
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}
