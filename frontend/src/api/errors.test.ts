import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { studioError } from '@/testing/memory-errors';
import { fieldMessage, isCoveredBy, localFieldError, readError } from './errors';
import { newRequestId } from './request-id';

describe('reading an error', () => {
  it('takes reason, message, remedy and fields from the details', () => {
    const error = readError(
      studioError(Code.InvalidArgument, 'INVALID_FIELD', 'Wrong.', 'Do better.', {
        'spec.generate.parameters.duration_seconds': 'must not be negative',
        'track.tags[3]': 'is too long',
      }),
    );
    expect(error).toMatchObject({
      reason: 'INVALID_FIELD',
      message: 'Wrong.',
      remedy: 'Do better.',
    });
    expect(fieldMessage(error, 'duration_seconds')).toBe('Must not be negative');
    expect(fieldMessage(error, 'tags')).toBe('Is too long');
    expect(fieldMessage(error, 'prompt')).toBeUndefined();
    expect(isCoveredBy(error, ['prompt', 'tags'])).toBe(true);
    expect(isCoveredBy(error, ['prompt'])).toBe(false);
  });

  it('finds the field that a reason is about when the server names none', () => {
    const error = readError(studioError(Code.InvalidArgument, 'INVALID_PROMPT', 'Empty.'));
    expect(fieldMessage(error, 'prompt')).toBe('Empty.');
  });

  it('says what to do when the studio does not answer', () => {
    const lost = new ConnectError(
      'fetch failed',
      Code.Unknown,
      undefined,
      undefined,
      new TypeError(),
    );
    for (const thrown of [lost, new ConnectError('upstream', Code.Unavailable)]) {
      expect(readError(thrown)).toMatchObject({ reason: 'UNREACHABLE' });
      expect(readError(thrown).remedy).toContain('musicgen up');
    }
  });

  it('shows what there is when there are no details', () => {
    expect(readError(new ConnectError('odd', Code.Internal))).toEqual({
      reason: '',
      message: 'odd',
      remedy: '',
      fields: {},
    });
    expect(fieldMessage(null, 'prompt')).toBeUndefined();
    expect(isCoveredBy(null, ['prompt'])).toBe(false);
  });

  it('makes errors of this side look alike', () => {
    expect(fieldMessage(localFieldError('seed', 'No number.', 'Fix it.'), 'seed')).toBe(
      'No number.',
    );
  });
});

describe('a request id', () => {
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

  it('is a UUID, with and without crypto.randomUUID', () => {
    expect(newRequestId()).toMatch(uuid);
    const old = {
      getRandomValues: (bytes: Uint8Array<ArrayBuffer>) => crypto.getRandomValues(bytes),
    };
    expect(newRequestId(old as unknown as Crypto)).toMatch(uuid);
  });
});
