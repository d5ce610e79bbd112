import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  type WatchJobsResponse,
  WatchJobsResponseSchema,
} from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import type { JobsStore } from './jobs-store';
import type { TabMessage, Tabs } from './tabs';
import { type Chance, type Connection, type OpenWatch, WatchClient } from './watch-client';

/** The leader lets hear of itself at least every 10 s (bookmarks, attempts). */
const LEADER_SILENCE_MS = 30_000;

/**
 * Lets one tab watch for all. HTTP/1.1 has six connections for all tabs together, so
 * only the tab that holds the lock opens the stream; it relays what it hears. When it
 * closes, the browser gives the lock to another, which goes on from the view it has.
 */
export class TabHub {
  readonly #store: JobsStore;
  readonly #tabs: Tabs;
  readonly #watch: WatchClient;
  #leads = false;
  #life: AbortController | null = null;
  #silence: ReturnType<typeof setTimeout> | undefined;

  constructor(store: JobsStore, open: OpenWatch, tabs: Tabs, chance?: Chance) {
    this.#store = store;
    this.#tabs = tabs;
    const hooks = {
      cursor: () => store.view.cursor,
      onOpen: () => store.dropPages(),
      onFrame: (frame: WatchJobsResponse) => this.#lead(frame),
      onConnection: (connection: Connection) => this.#setConnection(connection),
    };
    this.#watch = new WatchClient(open, hooks, chance);
  }

  /** Whether this tab holds the one stream. */
  get leads(): boolean {
    return this.#leads;
  }

  /** Takes part until stop(): follows, and leads as soon as the lock is free. */
  start(): void {
    if (this.#life !== null) return;
    const life = new AbortController();
    this.#life = life;
    const { channel, lock } = this.#tabs;
    const deafen = channel.listen((message) => this.#hear(message));
    life.signal.addEventListener('abort', deafen);
    channel.post({ kind: 'hello' });
    this.#expectLeader();
    lock
      .hold(life.signal, async () => {
        if (life.signal.aborted) return;
        clearTimeout(this.#silence);
        this.#leads = true;
        this.#postState(); // the followers and the new leader agree from here on
        await this.#watch.run(life.signal);
      })
      .catch((error: unknown) => {
        if (!life.signal.aborted) throw error; // aborted: it only gave up waiting
      })
      .finally(() => {
        if (this.#life === life) this.#leads = false;
      });
  }

  /** Leaves: frees the stream and the lock for another tab. */
  stop(): void {
    this.#life?.abort();
    this.#life = null;
    this.#leads = false;
    clearTimeout(this.#silence);
  }

  /** The network is back or the page is looked at again: try at once. */
  poke(): void {
    this.#watch.poke();
  }

  /** As leader: takes a frame in and passes it on. */
  #lead(frame: WatchJobsResponse): void {
    this.#store.apply(frame);
    if (frame.body.case !== 'snapshot') {
      this.#tabs.channel.post({
        kind: 'frame',
        frame: toBinary(WatchJobsResponseSchema, frame),
      });
    } else if (frame.body.value.complete) {
      this.#postState(); // pages are for the leader alone; nobody sees half a snapshot
    }
  }

  #setConnection(connection: Connection): void {
    // While it reconnects each attempt is passed on: a sign of life of the leader.
    const news = connection !== this.#store.connection || connection === 'reconnecting';
    this.#store.setConnection(connection);
    if (news) this.#tabs.channel.post({ kind: 'connection', connection });
  }

  #postState(): void {
    const { ready, jobs, pausedQueues, cursor } = this.#store.view;
    if (!ready) return;
    const frame = create(WatchJobsResponseSchema, {
      cursor,
      body: {
        case: 'snapshot',
        value: { jobs: [...jobs.values()], complete: true, pausedQueues: [...pausedQueues] },
      },
    });
    this.#tabs.channel.post({
      kind: 'state',
      frame: toBinary(WatchJobsResponseSchema, frame),
      connection: this.#store.connection,
    });
  }

  #hear(message: TabMessage): void {
    if (this.#leads) {
      if (message.kind === 'hello') this.#postState();
      return;
    }
    if (message.kind === 'hello') return;
    this.#expectLeader();
    switch (message.kind) {
      case 'state':
        this.#store.apply(fromBinary(WatchJobsResponseSchema, message.frame));
        this.#store.setConnection(message.connection);
        break;
      case 'frame':
        // Without the state before them, events say nothing; the state was asked for.
        if (!this.#store.view.ready) break;
        this.#store.apply(fromBinary(WatchJobsResponseSchema, message.frame));
        this.#store.setConnection('live');
        break;
      case 'connection':
        this.#store.setConnection(message.connection);
        break;
    }
  }

  /** As follower: a leader that is not heard any more can't be called live. */
  #expectLeader(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#store.setConnection('reconnecting');
      this.#tabs.channel.post({ kind: 'hello' });
    }, LEADER_SILENCE_MS);
  }
}
