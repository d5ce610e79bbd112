import type { TabMessage, Tabs } from '@/watch/tabs';

/** The tabs of one browser: one channel and one lock, shared by all that are made here. */
export class MemoryTabs {
  readonly #ears = new Map<object, (message: TabMessage) => void>();
  readonly #queue: (() => void)[] = [];
  #held = false;
  /** Everything that was posted. */
  readonly posted: TabMessage[] = [];

  tab(): Tabs {
    const me = {};
    return {
      channel: {
        post: (message) => {
          this.posted.push(message);
          const copy = structuredClone(message);
          queueMicrotask(() => {
            for (const [who, hear] of [...this.#ears]) if (who !== me) hear(copy);
          });
        },
        listen: (onMessage) => {
          this.#ears.set(me, onMessage);
          return () => this.#ears.delete(me);
        },
      },
      lock: {
        hold: async (signal, whileHeld) => {
          await this.#acquire(signal);
          try {
            await whileHeld();
          } finally {
            this.#release();
          }
        },
      },
    };
  }

  #acquire(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = () => {
        this.#held = true;
        resolve();
      };
      if (!this.#held) return take();
      this.#queue.push(take);
      signal.addEventListener('abort', () => {
        const at = this.#queue.indexOf(take);
        if (at >= 0) this.#queue.splice(at, 1);
        reject(new DOMException('no longer wanted', 'AbortError'));
      });
    });
  }

  #release(): void {
    this.#held = false;
    this.#queue.shift()?.();
  }
}
