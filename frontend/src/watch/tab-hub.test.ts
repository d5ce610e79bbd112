import { create } from '@bufbuild/protobuf';
import { createClient } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Job_State, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { JobService } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { MemoryTabs } from '@/testing/memory-tabs';
import { JobsStore } from './jobs-store';
import { TabHub } from './tab-hub';
import { browserTabs } from './tabs';

interface Tab {
  readonly store: JobsStore;
  readonly hub: TabHub;
}

describe('the tabs of a browser', () => {
  let studio: MemoryStudio;
  let browser: MemoryTabs;
  const open: Tab[] = [];

  const openTab = (): Tab => {
    const store = new JobsStore();
    const client = createClient(JobService, studio.transport);
    const hub = new TabHub(
      store,
      (cursor, signal, onHeader) => client.watchJobs({ cursor }, { signal, onHeader }),
      browser.tab(),
      { now: () => performance.now(), random: () => 0 },
    );
    hub.start();
    open.push({ store, hub });
    return { store, hub };
  };

  const submit = async (prompt: string): Promise<string> => {
    const client = createClient(JobService, studio.transport);
    const spec = create(JobSpecSchema, {
      kind: { case: 'generate', value: { parameters: { prompt } } },
    });
    const { job } = await client.createJob({ spec });
    return job?.jobId ?? '';
  };

  const cursors = () =>
    studio.jobs.calls
      .filter((call) => call.method === 'watchJobs')
      .map((call) => (call.request as { cursor: string }).cursor);

  beforeEach(() => {
    studio = createMemoryStudio();
    browser = new MemoryTabs();
  });

  afterEach(() => {
    for (const tab of open.splice(0)) tab.hub.stop();
  });

  it('open one stream together, and all see the same jobs', async () => {
    const jobId = await submit('before');
    const [first, second, third] = [openTab(), openTab(), openTab()];
    await vi.waitFor(() => expect(third.store.view.ready).toBe(true));
    studio.jobs.start(jobId);
    studio.jobs.progress(jobId, { fraction: 0.25 });
    for (const tab of [first, second, third]) {
      await vi.waitFor(() => {
        expect(tab.store.view.jobs.get(jobId)?.progress?.fraction).toBe(0.25);
      });
      expect(tab.store.connection).toBe('live');
    }
    expect(studio.jobs.openWatches).toBe(1);
    expect([first, second, third].map((tab) => tab.hub.leads)).toEqual([true, false, false]);
  });

  it('tell a later tab everything at once, without another stream', async () => {
    const jobId = await submit('before');
    const first = openTab();
    await vi.waitFor(() => expect(first.store.view.ready).toBe(true));
    const late = openTab();
    await vi.waitFor(() => expect(late.store.view.jobs.has(jobId)).toBe(true));
    expect(late.store.connection).toBe('live');
    expect(cursors()).toEqual(['']);
  });

  it('tell each other which queues are paused, late ones too', async () => {
    studio.jobs.pause('loop', true);
    const first = openTab();
    await vi.waitFor(() => expect(first.store.view.ready).toBe(true));
    const late = openTab();
    await vi.waitFor(() => expect([...late.store.view.pausedQueues]).toEqual(['loop']));
    studio.jobs.pause('all', true);
    studio.jobs.pause('loop', false);
    await vi.waitFor(() => expect([...late.store.view.pausedQueues]).toEqual(['all']));
    expect(cursors()).toEqual(['']);
  });

  it('pass the stream on when the leader closes: the next goes on from the cursor', async () => {
    const jobId = await submit('before');
    const [leader, heir, third] = [openTab(), openTab(), openTab()];
    await vi.waitFor(() => expect(third.store.view.ready).toBe(true));
    studio.jobs.start(jobId);
    await vi.waitFor(() => expect(heir.store.view.jobs.get(jobId)?.rev).toBe(2n));
    const cursor = heir.store.view.cursor;
    leader.hub.stop();
    studio.jobs.succeed(jobId, { trackIds: ['t1'] }); // happens while nobody watches
    for (const tab of [heir, third]) {
      await vi.waitFor(() => {
        expect(tab.store.view.jobs.get(jobId)?.state).toBe(Job_State.SUCCEEDED);
      });
    }
    expect(heir.hub.leads).toBe(true);
    expect(cursors()).toEqual(['', cursor]);
    await vi.waitFor(() => expect(studio.jobs.openWatches).toBe(1));
  });

  it('never show half a snapshot to a follower', async () => {
    studio.jobs.history.pageSize = 2;
    for (let count = 0; count < 5; count += 1) await submit(`job ${count}`);
    const [leader, follower] = [openTab(), openTab()];
    const sizes = new Set<number>();
    follower.store.subscribe(() => sizes.add(follower.store.view.jobs.size));
    await vi.waitFor(() => expect(follower.store.view.jobs.size).toBe(5));
    expect([...sizes].filter((size) => size > 0)).toEqual([5]);
    expect(leader.store.view.jobs.size).toBe(5);
  });

  it('all start over when the history is gone', async () => {
    const jobId = await submit('before');
    const [leader, follower] = [openTab(), openTab()];
    await vi.waitFor(() => expect(follower.store.view.ready).toBe(true));
    studio.jobs.start(jobId);
    studio.jobs.history.compact();
    studio.jobs.history.drop();
    await submit('after');
    for (const tab of [leader, follower]) {
      await vi.waitFor(() => expect(tab.store.view.jobs.size).toBe(2));
      await vi.waitFor(() => expect(tab.store.connection).toBe('live'));
    }
    expect(cursors().at(-1)).toBe('');
  });

  it('all say so when the server is away', async () => {
    const [leader, follower] = [openTab(), openTab()];
    await vi.waitFor(() => expect(follower.store.view.ready).toBe(true));
    const seen: string[] = [];
    follower.store.subscribe(() => seen.push(follower.store.connection));
    studio.jobs.history.drop();
    await vi.waitFor(() => expect(seen).toContain('reconnecting'));
    await vi.waitFor(() => expect(leader.store.connection).toBe('live'));
    await vi.waitFor(() => expect(follower.store.connection).toBe('live'));
  });

  it('do not call silence live: a follower that hears nothing asks', async () => {
    vi.useFakeTimers();
    try {
      const leader = openTab();
      const follower = openTab();
      await vi.advanceTimersByTimeAsync(50);
      expect(follower.store.connection).toBe('live');
      leader.hub.stop();
      const mute = browser.tab();
      follower.hub.stop(); // leads now; a tab that holds the lock in silence takes over
      void mute.lock.hold(new AbortController().signal, () => new Promise(() => {}));
      await vi.advanceTimersByTimeAsync(10);
      const left = openTab();
      left.store.setConnection('live');
      await vi.advanceTimersByTimeAsync(30_000);
      expect(left.store.connection).toBe('reconnecting');
      expect(browser.posted.at(-1)).toEqual({ kind: 'hello' });
    } finally {
      vi.useRealTimers();
    }
  });

  it('take part again after a stop', async () => {
    const tab = openTab();
    await vi.waitFor(() => expect(tab.store.view.ready).toBe(true));
    tab.hub.stop();
    const jobId = await submit('while away');
    tab.hub.start();
    tab.hub.start(); // twice is once
    await vi.waitFor(() => expect(tab.store.view.jobs.has(jobId)).toBe(true));
    await vi.waitFor(() => expect(studio.jobs.openWatches).toBe(1));
  });
});

describe('the means of the browser', () => {
  it('let a tab stand alone where there are no locks', async () => {
    const tabs = browserTabs(null);
    const held = vi.fn(async () => {});
    await tabs.lock.hold(new AbortController().signal, held);
    expect(held).toHaveBeenCalledOnce();
    tabs.channel.post({ kind: 'hello' });
    tabs.channel.listen(() => {})();
  });

  it('use the lock manager and one channel where they exist', async () => {
    class Channel extends EventTarget {
      static readonly all: Channel[] = [];
      constructor() {
        super();
        Channel.all.push(this);
      }
      postMessage(data: unknown) {
        for (const other of Channel.all) {
          if (other !== this) other.dispatchEvent(new MessageEvent('message', { data }));
        }
      }
    }
    vi.stubGlobal('BroadcastChannel', Channel);
    const request = vi.fn(async (_name: string, _options: object, run: () => Promise<void>) =>
      run(),
    );
    const locks = { request, query: vi.fn() } as unknown as LockManager;
    const [one, other] = [browserTabs(locks), browserTabs(locks)];
    const heard = vi.fn();
    const deafen = other.channel.listen(heard);
    one.channel.post({ kind: 'hello' });
    deafen();
    one.channel.post({ kind: 'hello' });
    expect(heard).toHaveBeenCalledOnce();
    await one.lock.hold(new AbortController().signal, async () => {});
    expect(request.mock.calls[0]?.[0]).toBe('musicgen.watch');
    vi.unstubAllGlobals();
  });
});
