import { useConnection } from '@/watch/react';
import type { Connection } from '@/watch/watch-client';

const WORDS: Record<Connection, string> = {
  connecting: 'Connecting',
  live: 'Live',
  reconnecting: 'Reconnecting',
};

const LAMPS: Record<Connection, string> = {
  connecting: 'bg-muted',
  live: 'bg-good',
  reconnecting: 'bg-needle animate-pulse',
};

/** Whether what is on screen is what the studio knows now. */
export function ConnectionBadge() {
  const connection = useConnection();
  return (
    <p
      role="status"
      data-testid="connection"
      data-state={connection}
      className="plate flex items-center gap-2 text-muted"
    >
      <span aria-hidden="true" className={`size-2 rounded-full ${LAMPS[connection]}`} />
      {/* On a phone the green lamp is enough; that something is wrong is said. */}
      <span className={connection === 'live' ? 'max-sm:sr-only' : ''}>{WORDS[connection]}</span>
    </p>
  );
}
