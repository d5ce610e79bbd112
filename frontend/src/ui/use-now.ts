import { useEffect, useState } from 'react';

/** The time in ms since 1970, anew each second while something is waited for. */
export function useNow(isWaiting: (nowMs: number) => boolean): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  const waiting = isWaiting(nowMs);
  useEffect(() => {
    if (!waiting) return;
    const timer = setInterval(() => setNowMs(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, [waiting]);
  return nowMs;
}
