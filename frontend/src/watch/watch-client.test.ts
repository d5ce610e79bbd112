import { create } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type WatchJobsResponse,
  WatchJobsResponseSchema,
} from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { backoffMs } from './backoff';
import { type Connection, WatchClient } from './watch-client';

/** A stream that the test holds in its hand. */
class Script {
  readonly cursors: string[] = [];
  readonly connections: Connection[] = [];
  cursor = '';
  opened = 0;
  #next: ((step: Step) => void) | null = null;

  readonly client = new WatchClient(
    (cursor, signal, onHeaders) => this.#stream(cursor, signal, onHeaders),
    {
      cursor: () => this.cursor,
      onOpen: () => {
        this.opened += 1;
      },
      onFrame: (frame) => {
        this.cursor = frame.cursor;
      },
      onConnection: (connection) => {
        if (this.connections.at(-1) !== connection) this.connections.push(connection);
      },
    },
    { now: () => Date.now(), random: () => 1 },
  );

  async send(step: Step): Promise<void> {
    await vi.advanceTimersByTimeAsync(0);
    if (this.#next === null) throw new Error('nobody reads');
    this.#next(step);
    await vi.advanceTimersByTimeAsync(0);
  }

  async *#stream(
    cursor: string,
    signal: AbortSignal,
    onHeaders: () => void,
  ): AsyncGenerator<WatchJobsResponse> {
    this.cursors.push(cursor);
    while (true) {
      const step = await new Promise<Step>((resolve) => {
        this.#next = resolve;
        signal.addEventListener('abort', () => resolve(new ConnectError('aborted', Code.Canceled)));
      });
      this.#next = null;
      if (step === 'end') return;
      if (step === 'headers') onHeaders();
      else if (step instanceof ConnectError) throw step;
      else yield bookmark(step.cursor);
    }
  }
}

type Step = 'end' | 'headers' | ConnectError | { cursor: string };

function bookmark(cursor: string): WatchJobsResponse {
  return create(WatchJobsResponseSchema, { cursor, body: { case: 'bookmark', value: {} } });
}

const away = new ConnectError('away', Code.Unavailable);
const compacted = new ConnectError('compacted', Code.OutOfRange);

describe('the watch client', () => {
  let script: Script;
  let life: AbortController;
  let running: Promise<void>;

  beforeEach(() => {
    vi.useFakeTimers();
    script = new Script();
    life = new AbortController();
    running = script.client.run(life.signal);
  });

  afterEach(async () => {
    life.abort();
    await vi.advanceTimersByTimeAsync(0);
    await running;
    vi.useRealTimers();
  });

  it('starts without a cursor and is live with the first sign of the server', async () => {
    await script.send('headers');
    expect(script.cursors).toEqual(['']);
    expect(script.connections).toEqual(['live']);
  });

  it('goes on from its cursor after a break, and says that it reconnects meanwhile', async () => {
    await script.send({ cursor: 'c5' });
    await vi.advanceTimersByTimeAsync(5_000);
    await script.send(away);
    expect(script.connections).toEqual(['live', 'reconnecting']);
    await vi.advanceTimersByTimeAsync(250);
    await script.send({ cursor: 'c6' });
    expect(script.cursors).toEqual(['', 'c5']);
    expect(script.connections).toEqual(['live', 'reconnecting', 'live']);
  });

  it('goes on at once, still live, when the server ends a long watch with OK', async () => {
    await script.send({ cursor: 'c5' });
    for (let minute = 0; minute < 3; minute += 1) {
      await vi.advanceTimersByTimeAsync(10_000);
      await script.send({ cursor: 'c6' });
    }
    await script.send('end');
    expect(script.cursors).toEqual(['', 'c6']);
    expect(script.connections).toEqual(['live']);
  });

  it('waits longer after each failure', async () => {
    for (const ms of [250, 500, 1_000, 2_000]) {
      await script.send(away);
      const opened = script.opened;
      await vi.advanceTimersByTimeAsync(ms - 1);
      expect(script.opened).toBe(opened);
      await vi.advanceTimersByTimeAsync(1);
      expect(script.opened).toBe(opened + 1);
    }
  });

  it('starts over without a cursor when the history is gone', async () => {
    await script.send({ cursor: 'c5' });
    await vi.advanceTimersByTimeAsync(2_000);
    await script.send(away);
    await vi.advanceTimersByTimeAsync(250);
    await script.send(compacted);
    expect(script.cursors).toEqual(['', 'c5', '']);
    await script.send({ cursor: 'n1' });
    expect(script.connections.at(-1)).toBe('live');
  });

  it('does not hammer a server that finds every start out of range', async () => {
    await script.send(compacted);
    await script.send(compacted);
    expect(script.opened).toBe(2);
    await vi.advanceTimersByTimeAsync(250);
    expect(script.opened).toBe(3);
  });

  it('does not hammer a server that ends every watch at once', async () => {
    await script.send({ cursor: 'c1' });
    await script.send('end');
    expect(script.opened).toBe(1);
    await vi.advanceTimersByTimeAsync(250);
    expect(script.opened).toBe(2);
  });

  it('takes a stream for dead when even bookmarks stay away', async () => {
    await script.send({ cursor: 'c1' });
    await vi.advanceTimersByTimeAsync(24_000);
    expect(script.connections).toEqual(['live']);
    await vi.advanceTimersByTimeAsync(1_250);
    expect(script.connections).toEqual(['live', 'reconnecting']);
    expect(script.cursors).toEqual(['', 'c1']);
  });

  it('tries at once when it is poked', async () => {
    for (let failure = 0; failure < 6; failure += 1) {
      await script.send(away);
      script.client.poke();
      await vi.advanceTimersByTimeAsync(0);
    }
    expect(script.opened).toBe(7);
  });
});

describe('the backoff', () => {
  it('doubles up to ten seconds and is spread over half of it', () => {
    expect([1, 2, 3, 20].map((failures) => backoffMs(failures, () => 1))).toEqual([
      250, 500, 1_000, 10_000,
    ]);
    expect(backoffMs(1, () => 0)).toBe(125);
  });
});
