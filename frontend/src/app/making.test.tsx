import { Code, ConnectError } from '@connectrpc/connect';
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import {
  closePages,
  happen,
  makeTrack,
  openPage as openPageOf,
  servePeaks,
} from '@/testing/open-page';

let memory: MemoryStudio;

const openPage = () => openPageOf(memory);
const make = (prompt: string, seed?: string) => makeTrack(memory, prompt, seed);
const card = async () => within(await screen.findByTestId('job-card'));

beforeEach(() => {
  memory = createMemoryStudio();
  servePeaks();
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
    expect(live.getByTestId('job-stage')).toHaveTextContent('Next in line');
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
    await happen(() => memory.jobs.history.drop());
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
