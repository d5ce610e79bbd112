import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryUploads } from '@/testing/memory-uploads';
import { readHttpError } from './errors';
import { BrokenOff, Refused } from './uploads';

const FILE = new File([new Uint8Array(100)], 'music.wav');
const part = { uploadId: 'u1', file: FILE, fromByte: 0, toByte: 100 };
const nothing = () => {};
const life = () => new AbortController();

afterEach(() => vi.useRealTimers());

describe('sending a part of a file', () => {
  it('tells what has arrived, and asks for it', async () => {
    const studio = new MemoryUploads();
    const { signal } = life();
    const half = { ...part, toByte: 50 };
    expect(await studio.port.arrived('u1', 100, signal)).toEqual({ bytes: 0, whole: false });
    expect(await studio.port.send(half, signal, nothing)).toEqual({ bytes: 50, whole: false });
    expect(await studio.port.arrived('u1', 100, signal)).toEqual({ bytes: 50, whole: false });
    const rest = { ...part, fromByte: 50 };
    expect(await studio.port.send(rest, signal, nothing)).toMatchObject({ whole: true });
    expect(studio.ranges).toEqual(['*/100', '0-49/100', '*/100', '50-99/100']);
  });

  it('breaks off where the studio has another part, or is starting', async () => {
    const studio = new MemoryUploads();
    const { signal } = life();
    const ahead = { ...part, fromByte: 50 };
    await expect(studio.port.send(ahead, signal, nothing)).rejects.toBeInstanceOf(BrokenOff);
    studio.refuseNext.push({ status: 503 });
    await expect(studio.port.send(part, signal, nothing)).rejects.toBeInstanceOf(BrokenOff);
    studio.refuseNext.push({ status: 400, reason: 'INVALID_FIELD', message: 'is no upload id' });
    await expect(studio.port.send(part, signal, nothing)).rejects.toBeInstanceOf(Refused);
  });

  it('ends when it is stopped, before and after it began', async () => {
    const studio = new MemoryUploads();
    studio.room = 0;
    const stopped = life();
    const sending = studio.port.send(part, stopped.signal, nothing);
    stopped.abort();
    await expect(sending).rejects.toBeInstanceOf(BrokenOff);
    await expect(studio.port.send(part, stopped.signal, nothing)).rejects.toThrow('stopped');
    expect(studio.ranges).toHaveLength(1);
  });

  it('takes a connection in which nothing moves for dead', async () => {
    vi.useFakeTimers();
    const studio = new MemoryUploads();
    studio.room = 0;
    const sending = studio.port.send(part, life().signal, nothing);
    const told = expect(sending).rejects.toBeInstanceOf(BrokenOff);
    await vi.advanceTimersByTimeAsync(29_000);
    expect(studio.openRequests).toBe(1);
    await vi.advanceTimersByTimeAsync(2_000);
    await told;
    expect(studio.openRequests).toBe(0);
  });
});

describe('a refusal over HTTP', () => {
  it('is read from the status that the studio sends', () => {
    const details = [
      {
        '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
        reason: 'INVALID_FIELD',
        metadata: { remedy: 'Use a UUID.' },
      },
      {
        '@type': 'type.googleapis.com/google.rpc.BadRequest',
        field_violations: [{ field: 'upload_id', description: 'must be a UUID' }],
      },
    ];
    const body = JSON.stringify({ code: 3, message: 'is no upload id', details });
    expect(readHttpError(400, body)).toEqual({
      reason: 'INVALID_FIELD',
      message: 'It is no upload id.',
      remedy: 'Use a UUID.',
      fields: { upload_id: 'must be a UUID' },
    });
  });

  it('that a proxy sends is told by its code', () => {
    expect(readHttpError(507, '<html>').reason).toBe('DISK_FULL');
    expect(readHttpError(400, '{"details":[]}').message).toBe('The studio answered 400.');
  });
});
