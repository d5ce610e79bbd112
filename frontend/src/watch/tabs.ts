import type { Connection } from './watch-client';

/** What tabs tell each other. Frames travel as protobuf bytes. */
export type TabMessage =
  /** A new tab asks for the state. */
  | { readonly kind: 'hello' }
  /** The leader's whole view, as one complete snapshot frame. */
  | { readonly kind: 'state'; readonly frame: Uint8Array; readonly connection: Connection }
  /** One frame as the leader got it; only events, bookmarks and resets travel so. */
  | { readonly kind: 'frame'; readonly frame: Uint8Array }
  | { readonly kind: 'connection'; readonly connection: Connection };

/** The channel between the tabs of one studio; nobody hears himself. */
export interface TabChannel {
  post(message: TabMessage): void;
  listen(onMessage: (message: TabMessage) => void): () => void;
}

/** A lock that one tab holds at a time; it is freed when the tab goes. */
export interface TabLock {
  /** Waits for the lock, holds it while `whileHeld` runs; gives up waiting on abort. */
  hold(signal: AbortSignal, whileHeld: () => Promise<void>): Promise<void>;
}

export interface Tabs {
  readonly channel: TabChannel;
  readonly lock: TabLock;
}

const NAME = 'musicgen.watch';

/** The browser's own means. Without them (plain http from afar) each tab stands alone. */
export function browserTabs(locks: LockManager | null = ownLocks()): Tabs {
  if (locks === null || typeof BroadcastChannel === 'undefined') return lonelyTab();
  const broadcast = new BroadcastChannel(NAME);
  return {
    channel: {
      post: (message) => broadcast.postMessage(message),
      listen(onMessage) {
        const heard = (event: MessageEvent<TabMessage>) => onMessage(event.data);
        broadcast.addEventListener('message', heard);
        return () => broadcast.removeEventListener('message', heard);
      },
    },
    lock: {
      hold: (signal, whileHeld) => locks.request(NAME, { signal }, whileHeld),
    },
  };
}

/** Browsers leave it out where the page is not from https or localhost. */
function ownLocks(): LockManager | null {
  const { locks } = navigator as { locks?: LockManager | null };
  return locks ?? null;
}

/** Each tab for itself, as if the others were not there. */
export function lonelyTab(): Tabs {
  return {
    channel: { post: () => {}, listen: () => () => {} },
    lock: { hold: (_signal, whileHeld) => whileHeld() },
  };
}
