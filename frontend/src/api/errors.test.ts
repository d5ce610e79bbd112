import { Code, ConnectError } from '@connectrpc/connect';
import { describe, expect, it } from 'vitest';
import { studioError } from '@/testing/memory-errors';
import { fieldMessage, isCoveredBy, localFieldError, readError, withoutField } from './errors';
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
      remedy: '', // each field says what it wants
    });
    expect(fieldMessage(error, 'duration_seconds')).toBe('It must not be negative.');
    expect(fieldMessage(error, 'tags')).toBe('It is too long.');
    expect(fieldMessage(error, 'prompt')).toBeUndefined();
    expect(isCoveredBy(error, ['prompt', 'tags'])).toBe(true);
    expect(isCoveredBy(error, ['prompt'])).toBe(false);
  });

  it.each([
    ['0 is less than the minimum of 1', 'It must be at least 1.'],
    ['500.5 is greater than the maximum of 220.0', 'It must be at most 220.'],
    ['0 is less than or equal to the minimum of 0', 'It must be more than 0.'],
    ['5 is greater than or equal to the maximum of 5', 'It must be less than 5.'],
    ["'samba' is not one of ['pop', 'rock']", 'It can’t be “samba”: choose another.'],
    ["'$1' is not one of ['pop']", 'It can’t be “$1”: choose another.'],
    ["3 is not one of ['pop', 'rock']", 'It is none of the possible choices.'],
    ["1.5 is not of type 'integer'", 'It must be a whole number.'],
    ["'x' is not of type 'number'", 'It must be a number.'],
    ["3 is not of type 'string'", 'It must be a text.'],
    ["3 is not of type 'boolean'", 'It must be true or false.'],
    ["'aaaa' is too long", 'It is too long.'],
    ['[1, 2] is too long', 'It has too many entries.'],
    ['[1] is too short', 'It has too few entries.'],
    ["'a' is too short", 'It is too short.'],
    ['[] should be non-empty', 'It must not be empty.'],
    ["{'kind': 'A', 'bars': 4, 'ener", 'It is not valid.'],
    ['3 is odd', 'It is not valid: 3 is odd.'],
  ])('says of a value that a schema refuses (%s): %s', (found, said) => {
    const error = localFieldError('field', `is not valid: ${found}`, '');
    expect(fieldMessage(error, 'field')).toBe(said);
  });

  it('makes a sentence of what was not meant for people, and says what to do', () => {
    const odd = readError(new ConnectError('boom happened inside', Code.Internal));
    expect(odd.message).toBe('Boom happened inside.');
    expect(odd.remedy).toContain('musicgen doctor');
  });

  it('keeps the remedy of any other reason', () => {
    const full = studioError(Code.ResourceExhausted, 'DISK_FULL', 'Full.', 'Free some space.');
    expect(readError(full).remedy).toBe('Free some space.');
  });

  it('forgets a field that is corrected, and itself with the last of them', () => {
    const fields = { 'track.title': 'is empty', 'track.year': 'must be 1 to 9999' };
    const error = readError(studioError(Code.InvalidArgument, 'INVALID_FIELD', 'No.', '', fields));
    expect(withoutField(error, 'album')).toBe(error);
    const rest = withoutField(error, 'title');
    expect(fieldMessage(rest, 'title')).toBeUndefined();
    expect(fieldMessage(rest, 'year')).toBe('It must be 1 to 9999.');
    expect(withoutField(rest, 'year')).toBeNull();
    expect(withoutField(null, 'year')).toBeNull();
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

  it('has nothing to say of a field without an error', () => {
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
