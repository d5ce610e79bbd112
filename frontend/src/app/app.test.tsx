import { Code, ConnectError } from '@connectrpc/connect';
import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage as openPageOf } from '@/testing/open-page';

const saveFile = vi.fn();
let memory: MemoryStudio;

const openPage = () => openPageOf(memory, { saveFile });

async function make(prompt: string, seed = ''): Promise<string> {
  const user = userEvent.setup();
  await user.clear(screen.getByTestId('prompt'));
  await user.type(screen.getByTestId('prompt'), prompt);
  if (seed !== '') await user.type(screen.getByTestId('seed'), seed);
  const before = memory.jobs.jobs.length;
  await user.click(screen.getByTestId('make'));
  await waitFor(() => expect(memory.jobs.jobs).toHaveLength(before + 1));
  return memory.jobs.jobs.at(-1)?.jobId ?? '';
}

const card = async () => within(await screen.findByTestId('job-card'));

beforeEach(() => {
  memory = createMemoryStudio();
  saveFile.mockReset();
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => new Response('{"frames_per_peak":100,"peaks":[[-0.5,0.5],[-1,1]]}')),
  );
});

afterEach(() => {
  closePages();
  vi.unstubAllGlobals();
});

describe('making a track', () => {
  it('goes from the prompt over live progress to a track that can be played', async () => {
    await openPage();
    expect(screen.getByText('Nothing in work')).toBeInTheDocument();
    const jobId = await make('rainy night', '7');
    const live = await card();
    expect(live.getByText('composer, 1 min, seed 7')).toBeInTheDocument();
    expect(live.getByTestId('job-stage')).toHaveTextContent('Waits for a worker');
    expect(live.queryByTestId('job-percent')).toBeNull();

    await happen(() => memory.jobs.start(jobId));
    expect(live.getByTestId('job-stage')).toHaveTextContent('Starting');
    const progress = {
      stage: 'rendering',
      detail: 'chorus, section 3 of 7',
      step: 31,
      steps: 202,
      fraction: 0.379,
    };
    await happen(() => memory.jobs.progress(jobId, progress));
    await waitFor(() => expect(live.getByTestId('job-percent')).toHaveTextContent('37%'));
    expect(live.getByTestId('job-stage')).toHaveTextContent(/^Rendering: chorus, section 3 of 7$/);
    expect(live.queryByTestId('job-eta')).toBeNull();
    await happen(() => memory.jobs.progress(jobId, { ...progress, eta: { seconds: 12n } }));
    expect(live.getByTestId('job-eta')).toHaveTextContent('About 12 s left');
    expect(screen.getByTestId('announcer')).toHaveTextContent('Track: 25 percent');

    memory.library.add({ trackId: 't1', title: 'Rainy Night', tempoBpm: 82 });
    await happen(() => memory.jobs.succeed(jobId, { trackIds: ['t1'] }));
    expect(await live.findByTestId('track-title')).toHaveTextContent('Rainy Night');
    expect(live.getByTestId('waveform')).toBeInTheDocument();
    expect(screen.getByTestId('announcer')).toHaveTextContent('Track: Done');
    const row = await screen.findByTestId('library-row');
    expect(row).toHaveTextContent('Rainy Night');
    expect(memory.library.gets).toEqual(['t1']);
    expect(memory.library.lists).toBe(1);
  });

  it('takes a double click, and keys held down, for one wish', async () => {
    await openPage();
    const user = userEvent.setup();
    await user.type(screen.getByTestId('prompt'), 'rain');
    const button = screen.getByTestId('make');
    fireEvent.click(button, { detail: 1 });
    await card();
    fireEvent.click(button, { detail: 2 });
    const held = { key: 'Enter', ctrlKey: true, repeat: true };
    fireEvent.keyDown(screen.getByTestId('prompt'), held);
    await happen(() => {});
    expect(memory.jobs.jobs).toHaveLength(1);
  });

  it('draws a seed when none is given and offers it again', async () => {
    await openPage();
    await make('rain');
    expect(await screen.findByTestId('seed-used')).toHaveTextContent('1234567');
    await userEvent.click(screen.getByTestId('seed-reuse'));
    expect(screen.getByTestId('seed')).toHaveValue('1234567');
    expect(screen.queryByTestId('seed-used')).toBeNull();
  });

  it('shows a bad prompt at its field, with the remedy', async () => {
    await openPage();
    await userEvent.click(screen.getByTestId('make'));
    expect(await screen.findByTestId('field-error')).toHaveTextContent('1 to 2,000 characters');
    expect(screen.getByTestId('remedy')).toHaveTextContent('Describe the music');
    expect(screen.getByTestId('prompt')).toHaveAttribute('aria-invalid', 'true');
    expect(screen.getByTestId('prompt')).toHaveFocus();
    await userEvent.type(screen.getByTestId('prompt'), 'b');
    expect(screen.queryByTestId('field-error')).toBeNull();
    await make('better');
    await waitFor(() => expect(screen.queryByTestId('field-error')).toBeNull());
  });

  it('shows a bad length and a bad seed at their fields', async () => {
    await openPage();
    const user = userEvent.setup();
    await user.type(screen.getByTestId('prompt'), 'rain');
    await user.type(screen.getByTestId('seed'), 'x');
    await user.click(screen.getByTestId('make'));
    expect(await screen.findByTestId('field-error')).toHaveTextContent('seed');
    await user.clear(screen.getByTestId('seed'));
    await user.clear(screen.getByTestId('length'));
    await user.type(screen.getByTestId('length'), '-5');
    await user.keyboard('{Control>}{Enter}{/Control}');
    expect(await screen.findByText('It must not be negative.')).toBeInTheDocument();
    expect(screen.getByTestId('length')).toHaveAttribute('aria-invalid', 'true');
  });

  it('sends the same request id again after an answer that never came', async () => {
    await openPage();
    const lost = studioError(Code.Unavailable, 'STORE_UNAVAILABLE', 'No store.', 'Try again.');
    memory.jobs.failNext.set('createJob', lost);
    await userEvent.type(screen.getByTestId('prompt'), 'rain');
    await userEvent.click(screen.getByTestId('make'));
    expect(await screen.findByTestId('error-message')).toHaveTextContent('No store.');
    await userEvent.click(screen.getByTestId('make'));
    await card();
    const ids = memory.jobs.calls
      .filter((call) => call.method === 'createJob')
      .map((call) => (call.request as { requestId: string }).requestId);
    expect(ids).toHaveLength(2);
    expect(ids[0]).toBe(ids[1]);
  });

  it('says that the studio does not answer only as long as it does not', async () => {
    await openPage();
    await userEvent.type(screen.getByTestId('prompt'), 'rain');
    memory.jobs.failNext.set('createJob', new ConnectError('gone', Code.Unavailable));
    await userEvent.click(screen.getByTestId('make'));
    expect(await screen.findByText('The studio does not answer.')).toBeInTheDocument();
    await happen(() => memory.jobs.drop());
    await waitFor(() => expect(screen.queryByText('The studio does not answer.')).toBeNull());
  });

  it('keeps the draft, counts characters, and takes examples', async () => {
    const page = await openPage();
    await userEvent.click(screen.getAllByTestId('example')[0] as HTMLElement);
    const prompt = (screen.getByTestId('prompt') as HTMLTextAreaElement).value;
    expect(prompt).toContain('lofi');
    expect(screen.getByTestId('prompt-count')).toHaveTextContent(`${prompt.length} / 2,000`);
    page.close();
    await openPage();
    expect(screen.getByTestId('prompt')).toHaveValue(prompt);
  });

  it('sets the length by slider and by unit', async () => {
    await openPage();
    fireEvent.change(screen.getByTestId('length-slider'), { target: { value: '200' } });
    expect(screen.getByTestId('length')).toHaveValue('600');
    await userEvent.selectOptions(screen.getByTestId('length-unit'), 'min');
    expect(screen.getByTestId('length')).toHaveValue('10');
    fireEvent.change(screen.getByTestId('length-slider'), { target: { value: '0' } });
    expect(screen.getByTestId('length')).toHaveValue('0.08');
  });

  it('unfolds the options when one of them is refused', async () => {
    await openPage();
    const fields = { 'spec.generate.parameters.options.tempo_bpm': 'must be 40 or more' };
    const refusal = studioError(Code.InvalidArgument, 'INVALID_FIELD', 'No.', '', fields);
    memory.jobs.failNext.set('createJob', refusal);
    await userEvent.type(screen.getByTestId('prompt'), 'rain');
    await userEvent.click(screen.getByTestId('make'));
    const tempo = await screen.findByTestId('option-tempo_bpm');
    await waitFor(() => expect(tempo).toHaveFocus());
    expect(tempo.closest('details')).toHaveAttribute('open');
    await userEvent.type(tempo, '82');
    expect(screen.queryByTestId('field-error')).toBeNull();
  });

  it('offers the engines and the simple options of the one chosen', async () => {
    await openPage();
    const user = userEvent.setup();
    const down = await screen.findByRole('option', { name: 'DiffRhythm (unavailable)' });
    expect(down).toBeDisabled();
    await user.click(screen.getByText('Engine options'));
    await user.type(screen.getByTestId('option-tempo_bpm'), '82');
    await user.selectOptions(screen.getByTestId('option-key'), 'A minor');
    await user.selectOptions(screen.getByTestId('option-drums'), 'false');
    await user.click(screen.getByRole('button', { name: 'electric guitar' }));
    await user.click(screen.getByRole('button', { name: 'bass' }));
    await user.click(screen.getByRole('button', { name: 'bass' }));
    expect(screen.queryByTestId('option-stems')).toBeNull();
    await make('rain');
    const kind = memory.jobs.jobs[0]?.spec?.kind;
    expect(kind?.case === 'generate' && kind.value.parameters?.options).toEqual({
      tempo_bpm: 82,
      key: 'A minor',
      drums: false,
      instruments: ['electric_guitar'],
    });
  });
});

describe('a job', () => {
  it('can be cancelled and made after all', async () => {
    await openPage();
    const jobId = await make('rain');
    await happen(() => memory.jobs.start(jobId));
    const live = await card();
    await userEvent.click(live.getByTestId('cancel'));
    await waitFor(() => expect(live.getByTestId('job-stage')).toHaveTextContent('Stopping'));
    expect(live.getByTestId('cancel')).toHaveAttribute('aria-disabled', 'true');
  });

  it('that waits is cancelled at once; it can be retried or removed', async () => {
    await openPage();
    await make('rain');
    const live = await card();
    await userEvent.click(live.getByTestId('cancel'));
    await waitFor(() => expect(live.getByTestId('job-state')).toHaveTextContent('Cancelled'));
    await userEvent.click(live.getByTestId('retry'));
    await waitFor(() => expect(screen.getAllByTestId('job-card')).toHaveLength(2));
    expect(screen.queryByTestId('retry')).toBeNull(); // once is enough
    const cancelled = screen
      .getAllByTestId('job-card')
      .find((one) => one.dataset.state === 'cancelled') as HTMLElement;
    await userEvent.click(within(cancelled).getByTestId('clear'));
    await waitFor(() => expect(screen.getAllByTestId('job-card')).toHaveLength(1));
  });

  it('keeps the keyboard where its button was', async () => {
    await openPage();
    await make('rain');
    const live = await card();
    await userEvent.click(live.getByTestId('cancel'));
    await waitFor(() => expect(live.getByTestId('retry')).toHaveFocus());
  });

  it('says in the tab how far it is, and while it waits what went wrong', async () => {
    await openPage();
    expect(document.title).toBe('MusicGen Local');
    const jobId = await make('rain');
    expect(document.title).toBe('1 waiting · MusicGen Local');
    await happen(() => memory.jobs.start(jobId));
    await happen(() => memory.jobs.progress(jobId, { stage: 'rendering', fraction: 0.379 }));
    expect(document.title).toBe('37% · MusicGen Local');
    await make('wind');
    expect(document.title).toBe('37% · 1 waiting · MusicGen Local');
    await happen(() => memory.jobs.requeue(jobId, { message: 'The engine crashed.' }));
    expect(await screen.findByTestId('job-setback')).toHaveTextContent('The engine crashed.');
  });

  it('that failed shows why, what to do, and a way to retry', async () => {
    await openPage();
    const jobId = await make('rain');
    await happen(() => memory.jobs.start(jobId));
    await happen(() =>
      memory.jobs.fail(jobId, {
        reason: ErrorReason.OUT_OF_MEMORY,
        message: 'Memory ran out.',
        remedy: 'Ask for a shorter piece.',
      }),
    );
    const live = await card();
    expect(live.getByTestId('error-message')).toHaveTextContent('Memory ran out.');
    expect(live.getByTestId('remedy')).toHaveTextContent('Ask for a shorter piece.');
    memory.jobs.failNext.set('retryJob', studioError(Code.Unavailable, 'X', 'Not now.', 'Later.'));
    await userEvent.click(live.getByTestId('retry'));
    expect(await live.findByText('Not now.')).toBeInTheDocument();
    await userEvent.click(live.getByTestId('retry'));
    await waitFor(() => expect(screen.getAllByTestId('job-card')).toHaveLength(2));
  });

  it('is still there after a reload in the middle, and goes on', async () => {
    const page = await openPage();
    const jobId = await make('rain');
    await happen(() => memory.jobs.start(jobId));
    await happen(() => memory.jobs.progress(jobId, { stage: 'rendering', fraction: 0.4 }));
    page.close();
    await openPage();
    const live = await card();
    expect(live.getByTestId('job-percent')).toHaveTextContent('40%');
    await happen(() => memory.jobs.progress(jobId, { stage: 'rendering', fraction: 0.6 }));
    await waitFor(() => expect(live.getByTestId('job-percent')).toHaveTextContent('60%'));
    const cursors = memory.jobs.calls.filter((call) => call.method === 'watchJobs');
    expect(cursors.map((call) => call.request)).toEqual([{ cursor: '' }, { cursor: '' }]);
  });

  it('list shows the last few that ended, and the rest on demand', async () => {
    await openPage();
    for (let count = 0; count < 6; count += 1) {
      const jobId = await make(`rain ${count}`);
      await happen(() => memory.jobs.fail(jobId, { message: 'No.', remedy: '' }));
    }
    expect(screen.getAllByTestId('job-card')).toHaveLength(4);
    await userEvent.click(screen.getByRole('button', { name: 'Show 2 earlier' }));
    expect(screen.getAllByTestId('job-card')).toHaveLength(6);
  });
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
    await happen(() => memory.jobs.drop());
    act(() => studio.hub.poke());
    expect(await screen.findByTestId('library-row')).toHaveTextContent('Rainy Night');
    expect(screen.queryByText('The library is starting.')).toBeNull();
  });
});

describe('the header', () => {
  it('says when the page is cut off, and when it is live again', async () => {
    const { studio } = await openPage();
    await happen(() => memory.jobs.drop());
    await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Reconnecting'));
    act(() => studio.hub.poke());
    await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Live'));
  });

  it('switches the theme and remembers it', async () => {
    await openPage();
    const before = screen.getByTestId('theme').getAttribute('aria-label');
    await userEvent.click(screen.getByTestId('theme'));
    expect(screen.getByTestId('theme').getAttribute('aria-label')).not.toBe(before);
    const chosen = document.documentElement.dataset.theme;
    expect(localStorage.getItem('musicgen.theme')).toBe(chosen);
    const { applyKeptTheme, currentTheme } = await import('./theme');
    delete document.documentElement.dataset.theme;
    applyKeptTheme();
    expect(currentTheme()).toBe(chosen);
    delete document.documentElement.dataset.theme;
  });
});

describe('the page', () => {
  it('gives the stream up while it is away, and takes it again', async () => {
    await openPage();
    window.dispatchEvent(new Event('pagehide'));
    await waitFor(() => expect(memory.jobs.openWatches).toBe(0));
    window.dispatchEvent(new Event('pageshow'));
    await waitFor(() => expect(memory.jobs.openWatches).toBe(1));
    window.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('visibilitychange'));
  });
});
