import { Code } from '@connectrpc/connect';
import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage as openPageOf, servePeaks } from '@/testing/open-page';

const saveFile = vi.fn();
let memory: MemoryStudio;

const openPage = () => openPageOf(memory, { saveFile });

beforeEach(() => {
  memory = createMemoryStudio();
  saveFile.mockReset();
  servePeaks();
});

afterEach(() => {
  closePages();
  vi.unstubAllGlobals();
});

describe('a track', () => {
  async function openTrack() {
    memory.library.add({ trackId: 't1', title: 'Rainy Night' });
    const page = await openPage();
    await userEvent.click(await screen.findByTestId('row-open'));
    return { page, track: within(await screen.findByTestId('track-card')) };
  }

  it('is downloaded by a job and saved by itself; after a reload it is a link', async () => {
    const { page, track } = await openTrack();
    await userEvent.click(track.getByTestId('download-mp3'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const job = memory.jobs.jobs[0];
    expect(job?.spec?.kind).toMatchObject({
      case: 'export',
      value: { trackId: 't1', format: AudioFormat.MP3 },
    });
    const jobId = job?.jobId ?? '';
    await happen(() => memory.jobs.start(jobId));
    await happen(() => memory.jobs.progress(jobId, { fraction: 0.5 }));
    expect(track.getByTestId('download-mp3')).toHaveTextContent('50%');
    expect(track.getByTestId('download-mp3')).toHaveAttribute('aria-disabled', 'true');
    expect(screen.queryByTestId('job-card')).toBeNull();
    const downloads = [{ path: '/v1/artifacts/x/1/rain.mp3', fileName: 'Rainy Night.mp3' }];
    await happen(() => memory.jobs.succeed(jobId, { downloads }));
    await waitFor(() => expect(saveFile).toHaveBeenCalledOnce());
    page.close();
    await openPage();
    await userEvent.click(await screen.findByTestId('row-open'));
    const link = screen.getByTestId('download-mp3');
    expect(link).toHaveAttribute('href', '/v1/artifacts/x/1/rain.mp3');
    expect(link).toHaveAttribute('download', 'Rainy Night.mp3');
    expect(saveFile).toHaveBeenCalledOnce();
  });

  it('offers its score and its stems only if it has them', async () => {
    const file = (name: string, label: string, mediaType: string, sizeBytes: bigint) => ({
      name,
      label,
      mediaType,
      sizeBytes,
      path: `/v1/tracks/t1/files/${name}`,
    });
    memory.library.add({ trackId: 'plain', title: 'Plain' });
    memory.library.add({
      trackId: 't1',
      title: 'With stems',
      files: [
        file('score.mid', 'Score', 'audio/midi', 900n),
        file('stem-drums.flac', 'Drums', 'audio/flac', 1_234_567n),
        file('stem-bass.flac', 'Bass', 'audio/flac', 45_000n),
      ],
    });
    await openPage();
    const [newest, plain] = await screen.findAllByTestId('library-row');
    await userEvent.click(within(newest as HTMLElement).getByTestId('row-open'));
    const track = within(await screen.findByTestId('track-card'));
    const midi = track.getByTestId('download-midi');
    expect(midi).toHaveAttribute('href', '/v1/tracks/t1/files/score.mid');
    expect(midi).toHaveAttribute('download');
    expect(track.queryByTestId('download-stem')).toBeNull();
    const stems = track.getByTestId('stems');
    expect(stems).toHaveTextContent('Stems 2');
    expect(stems).toHaveAttribute('aria-expanded', 'false');
    await userEvent.click(stems);
    expect(stems).toHaveAttribute('aria-expanded', 'true');
    const links = track.getAllByTestId('download-stem');
    expect(links.map((link) => link.textContent)).toEqual(['Drums1.2 MB', 'Bass45 kB']);
    expect(links[1]).toHaveAttribute('href', '/v1/tracks/t1/files/stem-bass.flac');
    expect(links[1]).toHaveAccessibleName('Download Bass');
    await userEvent.click(stems);
    expect(track.queryByTestId('download-stem')).toBeNull();

    await userEvent.click(within(newest as HTMLElement).getByTestId('row-open'));
    await userEvent.click(within(plain as HTMLElement).getByTestId('row-open'));
    const other = within(await screen.findByTestId('track-card'));
    expect(other.queryByTestId('download-midi')).toBeNull();
    expect(other.queryByTestId('stems')).toBeNull();
  });

  it('says why a download could not be made', async () => {
    const { track } = await openTrack();
    const full = studioError(Code.ResourceExhausted, 'QUEUE_FULL', 'Too much work.', 'Wait.');
    memory.jobs.failNext.set('createJob', full);
    await userEvent.click(track.getByTestId('download-wav'));
    expect(await track.findByTestId('error-message')).toHaveTextContent('Too much work.');
    await userEvent.click(track.getByTestId('download-wav'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const error = { message: 'The disk is full.', remedy: 'Make room.' };
    await happen(() => memory.jobs.fail(memory.jobs.jobs[0]?.jobId ?? '', error));
    expect(track.getByTestId('error-message')).toHaveTextContent('The disk is full.');
  });

  it('gets new tags; wrong ones are shown at their field', async () => {
    const { track } = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('edit-tags'));
    await user.clear(track.getByTestId('tag-title'));
    await user.click(track.getByTestId('save-tags'));
    expect(await track.findByTestId('field-error')).toHaveTextContent('1 to 200 characters');
    await user.type(track.getByTestId('tag-title'), 'Wet Streets');
    await user.type(track.getByTestId('tag-artist'), 'Ada');
    await user.type(track.getByTestId('tag-year'), '2026');
    await user.type(track.getByTestId('tag-tags'), 'rain, study');
    await user.click(track.getByTestId('save-tags'));
    await waitFor(() => expect(track.queryByTestId('tag-form')).toBeNull());
    expect(track.getByTestId('edit-tags')).toHaveFocus();
    expect(memory.library.track('t1')).toMatchObject({ title: 'Wet Streets', year: 2026 });
    expect(screen.getByTestId('library-row')).toHaveTextContent('Wet Streets');
    expect(screen.getByTestId('library-row')).toHaveTextContent('Ada, 2026');
    expect(screen.getByText('study')).toBeInTheDocument();
  });

  it('that somebody else edited keeps his words and mine', async () => {
    const { track } = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('edit-tags'));
    await user.type(track.getByTestId('tag-artist'), 'Ada');
    memory.library.edit('t1', { album: 'Theirs' });
    await user.click(track.getByTestId('save-tags'));
    await user.click(await track.findByRole('button', { name: /read the track again/ }));
    await waitFor(() => expect(track.getByTestId('tag-album')).toHaveValue('Theirs'));
    await user.click(track.getByTestId('save-tags'));
    await waitFor(() => {
      expect(memory.library.track('t1')).toMatchObject({ artist: 'Ada', album: 'Theirs' });
    });
  });

  it('goes to the trash after a second click', async () => {
    const { track } = await openTrack();
    await userEvent.click(track.getByTestId('trash'));
    expect(track.getByRole('button', { name: 'Keep' })).toHaveFocus();
    await userEvent.keyboard('{Enter}');
    expect(track.getByTestId('trash')).toHaveFocus();
    await userEvent.click(track.getByTestId('trash'));
    await userEvent.click(track.getByTestId('trash-sure'));
    await waitFor(() => expect(screen.queryByTestId('library-row')).toBeNull());
    expect(screen.getByText('No tracks yet.')).toBeInTheDocument();
  });
});

describe('the library', () => {
  it('is searched and loaded page by page', async () => {
    for (let index = 1; index <= 35; index += 1) {
      memory.library.add({ trackId: `t${index}`, title: `Song ${index}` });
    }
    await openPage();
    await waitFor(() => expect(screen.getAllByTestId('library-row')).toHaveLength(30));
    await userEvent.click(screen.getByTestId('load-more'));
    await waitFor(() => expect(screen.getAllByTestId('library-row')).toHaveLength(35));
    await userEvent.type(screen.getByTestId('search'), 'song 35{Enter}');
    await waitFor(() => expect(screen.getAllByTestId('library-row')).toHaveLength(1));
    await userEvent.clear(screen.getByTestId('search'));
    await waitFor(() => expect(screen.getAllByTestId('library-row')).toHaveLength(30));
    await userEvent.type(screen.getByTestId('search'), 'nothing{Enter}');
    expect(await screen.findByText(/Nothing holds the words/)).toBeInTheDocument();
  });
});

describe('a library that was away', () => {
  it('is read again by itself as soon as the studio is back', async () => {
    memory.library.add({ trackId: 't1', title: 'Rainy Night' });
    memory.library.down = true;
    const { studio } = await openPage();
    expect(await screen.findByText('The library is starting.')).toBeInTheDocument();
    memory.library.down = false;
    await happen(() => memory.jobs.history.drop());
    act(() => studio.hub.poke());
    expect(await screen.findByTestId('library-row')).toHaveTextContent('Rainy Night');
    expect(screen.queryByText('The library is starting.')).toBeNull();
  });
});
