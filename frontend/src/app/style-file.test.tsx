import { Code } from '@connectrpc/connect';
import { createEvent, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import type { GenerateSpec } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage } from '@/testing/open-page';
import { READY_ENVIRONMENT, sampleSinger } from '@/testing/sample-singer';

/** Longer than the pauses between five attempts. */
const AFTER_FIVE_ATTEMPTS = { timeout: 8_000 };

let memory: MemoryStudio;

/** Opens the page, where the style shall come from a file. */
async function openForm() {
  const page = await openPage(memory);
  await screen.findByRole('option', { name: 'DiffRhythm' });
  await userEvent.selectOptions(screen.getByTestId('engine'), 'diffrhythm');
  await userEvent.click(screen.getByRole('radio', { name: 'A file' }));
  return { page, field: within(screen.getByRole('group', { name: 'Style from' })) };
}

/** A file of so many bytes, all of which differ from their neighbours. */
function music(sizeBytes: number, name = 'Slow Harbour.flac', type = 'audio/flac'): File {
  return new File([Uint8Array.from({ length: sizeBytes }, (_, at) => at % 251)], name, { type });
}

const choose = (file: File) => userEvent.upload(screen.getByTestId('style-file-input'), file);

async function make() {
  await userEvent.clear(screen.getByTestId('prompt'));
  await userEvent.type(screen.getByTestId('prompt'), 'rain');
  await userEvent.click(screen.getByTestId('make'));
}

function asked(): GenerateSpec | undefined {
  const kind = memory.jobs.jobs.at(-1)?.spec?.kind;
  return kind?.case === 'generate' ? kind.value : undefined;
}

beforeEach(() => {
  memory = createMemoryStudio();
  memory.engines.put(sampleSinger(READY_ENVIRONMENT));
});

afterEach(closePages);

describe('a file that the style is taken from', () => {
  it('is uploaded as soon as it is chosen, told by bytes, and named in the job', async () => {
    memory.uploads.room = 50_000;
    const { field } = await openForm();
    expect(field.getByText('Choose a music file')).toBeInTheDocument();
    await choose(music(200_000));
    const bytes = await field.findByTestId('upload-bytes');
    await waitFor(() => expect(bytes).toHaveTextContent('50 kB of 200 kB'));
    expect(field.getByTestId('upload-percent')).toHaveTextContent('25%');
    expect(field.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '25');
    expect(field.getByRole('progressbar')).toHaveAccessibleName('Uploading Slow Harbour.flac');
    expect(field.getByRole('button', { name: /^Cancel: uploading/ })).toHaveFocus();
    await happen(() => memory.uploads.allow(150_000));
    await waitFor(() => expect(bytes).toHaveTextContent('150 kB of 200 kB'));

    await make();
    expect(field.getByTestId('field-error')).toHaveTextContent('not uploaded yet');
    expect(field.getByTestId('remedy')).toHaveTextContent('as soon as it is there');
    expect(memory.jobs.jobs).toHaveLength(0);

    await happen(() => memory.uploads.allow(200_000));
    const row = await field.findByTestId('style-file-row');
    expect(row).toHaveTextContent('Slow Harbour.flac200 kB');
    expect(field.queryByTestId('field-error')).toBeNull();
    // The first part is small, so that a refusal is heard.
    expect(memory.uploads.ranges).toEqual(['0-65535/200000', '65536-199999/200000']);
    await make();
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const source = asked()?.styleAudio?.source;
    expect(source?.case).toBe('uploadId');
    const sent = memory.uploads.whole(String(source?.value));
    expect(sent).toEqual(new Uint8Array(await music(200_000).arrayBuffer()));
  });

  it('goes on after a cut from the byte that the studio names', async () => {
    memory.uploads.room = 120_000;
    const { field } = await openForm();
    await choose(music(200_000));
    const bytes = await field.findByTestId('upload-bytes');
    await waitFor(() => expect(bytes).toHaveTextContent('120 kB of 200 kB'));
    await happen(() => memory.uploads.cut());
    expect(field.getAllByText(/The connection broke/)[0]).toBeVisible();
    await waitFor(() => expect(memory.uploads.ranges.slice(2, 3)).toEqual(['*/200000']));
    await happen(() => memory.uploads.allow(200_000));
    await field.findByTestId('style-file-row');
    expect(memory.uploads.ranges.slice(2)).toEqual([
      '*/200000',
      '120000-185535/200000',
      '185536-199999/200000',
    ]);
    const [uploadId = ''] = memory.uploads.ids;
    expect(memory.uploads.whole(uploadId)).toHaveLength(200_000);
  });

  it('can be cancelled, and another one chosen', async () => {
    memory.uploads.room = 1_000;
    const { field } = await openForm();
    await choose(music(90_000));
    await field.findByTestId('upload-bytes');
    await waitFor(() => expect(memory.uploads.openRequests).toBe(1));
    await userEvent.click(field.getByTestId('upload-cancel'));
    expect(field.queryByTestId('style-upload')).toBeNull();
    expect(memory.uploads.openRequests).toBe(0);
    expect(screen.getByTestId('style-file-input')).toHaveFocus();
    await make();
    expect(field.getByTestId('field-error')).toHaveTextContent('No file was chosen');

    memory.uploads.allow(90_000);
    await choose(music(30_000, 'other.mp3', 'audio/mpeg'));
    expect(await field.findByText('other.mp3')).toBeInTheDocument();
    await waitFor(() => expect(field.getByTestId('style-file-row')).toHaveTextContent('30 kB'));
    expect(field.queryByTestId('field-error')).toBeNull();
  });

  it('can be dropped on the field, whatever was chosen there before', async () => {
    const { field } = await openForm();
    await userEvent.click(field.getByRole('radio', { name: 'The prompt' }));
    const group = screen.getByTestId('style');
    const over = createEvent.dragOver(group, { dataTransfer: { types: ['Files'] } });
    fireEvent(group, over);
    expect(over.defaultPrevented).toBe(true);
    fireEvent.drop(group, { dataTransfer: { files: [] } });
    expect(field.getByRole('radio', { name: 'The prompt' })).toBeChecked();
    fireEvent.drop(group, { dataTransfer: { files: [music(1_000)] } });
    expect(field.getByRole('radio', { name: 'A file' })).toBeChecked();
    expect(await field.findByTestId('style-file-row')).toHaveTextContent('1 kB');
  });

  it('survives a reload, and is asked for again if the studio has lost it', async () => {
    const { page, field } = await openForm();
    await choose(music(1_000));
    await field.findByTestId('style-file-row');
    page.close();
    await openPage(memory);
    const row = await screen.findByTestId('style-file-row');
    expect(row).toHaveTextContent('Slow Harbour.flac1 kB');
    const gone = studioError(Code.NotFound, 'UPLOAD_NOT_FOUND', 'No upload 4711.', 'Finish it.');
    memory.jobs.failNext.set('createJob', gone);
    await make();
    const error = await screen.findByTestId('field-error');
    expect(error).toHaveTextContent('doesn’t have “Slow Harbour.flac” any more.');
    expect(screen.getByTestId('remedy')).toHaveTextContent('Choose the file again.');
    expect(screen.queryByTestId('error-message')).toBeNull();
    expect(screen.getByTestId('style-file-input')).toHaveFocus();
    await choose(music(1_000));
    await waitFor(() => expect(screen.queryByTestId('field-error')).toBeNull());
  });
});

describe('a file that is refused', () => {
  it.each([
    [
      'as too large',
      { status: 413, reason: 'MESSAGE_TOO_LARGE', message: 'Too large.', remedy: 'Shorten it.' },
      ['Too large.', 'Shorten it.'],
    ],
    [
      'as too large by the gateway',
      { status: 413 },
      ['The file is larger than the studio takes.', 'Use a smaller one.'],
    ],
    [
      'for want of space',
      { status: 507, reason: 'DISK_FULL', message: 'No space is left.', remedy: 'Free some.' },
      ['No space is left.', 'Free some.'],
    ],
    ['without a reason', { status: 418 }, ['The studio answered 418.', 'musicgen doctor']],
  ])('%s says so at the field', async (_why, refusal, [message, remedy]) => {
    memory.uploads.refuseNext.push(refusal);
    const { field } = await openForm();
    await choose(music(90_000));
    expect(await field.findByTestId('field-error')).toHaveTextContent(message ?? '');
    expect(field.getByTestId('remedy')).toHaveTextContent(remedy ?? '');
    expect(field.getByTestId('style-file-row')).toHaveTextContent('0 B of 90 kB');
    await make();
    expect(memory.jobs.jobs).toHaveLength(0);
    await userEvent.click(field.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(field.queryByTestId('field-error')).toBeNull());
    expect(await field.findByText('90 kB')).toBeInTheDocument();
  });

  it('is not even sent if it is no music, or empty', async () => {
    const { field } = await openForm();
    const drop = (file: File) =>
      fireEvent.drop(screen.getByTestId('style'), { dataTransfer: { files: [file] } });
    drop(music(10, 'notes.txt', 'text/plain'));
    expect(field.getByTestId('field-error')).toHaveTextContent('“notes.txt” is no music file.');
    drop(music(0, 'empty.wav', 'audio/wav'));
    expect(field.getByTestId('field-error')).toHaveTextContent('“empty.wav” is empty.');
    expect(memory.uploads.ranges).toHaveLength(0);
    await userEvent.click(field.getByRole('radio', { name: 'The prompt' }));
    expect(field.queryByTestId('field-error')).toBeNull();
  });

  it('can’t be read any more, and is to be chosen again', async () => {
    const { field } = await openForm();
    const file = music(90_000);
    vi.spyOn(Blob.prototype, 'arrayBuffer').mockRejectedValue(new Error('it was unplugged'));
    memory.uploads.refuseNext.push({ status: 503 });
    await choose(file);
    expect(await field.findByTestId('field-error')).toHaveTextContent('can’t be read any more');
  });

  it('is no audio that the studio can read', async () => {
    const { field } = await openForm();
    await choose(music(1_000));
    await field.findByTestId('style-file-row');
    const bad = studioError(
      Code.InvalidArgument,
      'INVALID_AUDIO',
      'It holds no audio.',
      'Use WAV.',
    );
    memory.jobs.failNext.set('createJob', bad);
    await make();
    expect(await field.findByTestId('field-error')).toHaveTextContent('It holds no audio.');
    expect(field.getByTestId('remedy')).toHaveTextContent('Use WAV.');
    expect(screen.queryByTestId('error-message')).toBeNull();
  });

  it('is found too short when the work has begun', async () => {
    const { field } = await openForm();
    await choose(music(1_000));
    await field.findByTestId('style-file-row');
    const tooShort = {
      reason: ErrorReason.INVALID_AUDIO,
      message: 'The music lasts 4.0 s; a style needs 10 s.',
      remedy: 'Give a piece of 10 s or more.',
      metadata: { 'field:spec.generate.style_audio': 'lasts 4.0 s' },
    };
    const fail = async (jobs: number) => {
      await make();
      await waitFor(() => expect(memory.jobs.jobs).toHaveLength(jobs));
      const jobId = memory.jobs.jobs.at(-1)?.jobId ?? '';
      await happen(() => memory.jobs.start(jobId));
      return () => happen(() => memory.jobs.fail(jobId, tooShort));
    };
    await (await fail(1))();
    expect(field.getByTestId('field-error')).toHaveTextContent('The music lasts 4.0 s');
    expect(field.getByTestId('remedy')).toHaveTextContent('Give a piece of 10 s');

    await userEvent.click(field.getByRole('radio', { name: 'The prompt' }));
    expect(field.queryByTestId('field-error')).toBeNull();
    await userEvent.click(field.getByRole('radio', { name: 'A file' }));
    const failLater = await fail(2);
    await userEvent.click(field.getByRole('radio', { name: 'The prompt' }));
    await failLater(); // of a style that is not meant any more
    expect(field.queryByTestId('field-error')).toBeNull();
  });
});

describe('a studio that is away', () => {
  it('is told after a few attempts, and the upload goes on when it is back', async () => {
    const { page, field } = await openForm();
    memory.uploads.down = true;
    await choose(music(90_000));
    const error = await field.findByTestId('field-error', {}, AFTER_FIVE_ATTEMPTS);
    expect(error).toHaveTextContent('The studio does not answer.');
    expect(field.getByTestId('remedy')).toHaveTextContent('musicgen up');
    expect(memory.uploads.ranges).toHaveLength(5);
    memory.uploads.down = false;
    await happen(() => memory.jobs.history.drop());
    await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Reconnecting'));
    await happen(() => page.studio.hub.poke());
    expect(await field.findByText('90 kB')).toBeInTheDocument();
    expect(field.queryByTestId('field-error')).toBeNull();
  }, 15_000);
});
