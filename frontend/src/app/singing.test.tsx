import { Code } from '@connectrpc/connect';
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LyricsFinding_Severity } from '@/gen/musicgen/api/engine/v1/engine_pb';
import {
  Engine_State,
  type GenerateSpec,
} from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { BatchCreateJobsRequest } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, openPage } from '@/testing/open-page';
import { sampleModels } from '@/testing/sample-models';
import { READY_ENVIRONMENT, sampleSinger } from '@/testing/sample-singer';

const AFTER_THE_PAUSE = { timeout: 3_000 };
const FINDINGS = [
  {
    line: 2,
    severity: LyricsFinding_Severity.ERROR,
    code: 'unknown_language',
    message: 'It is in no language that is sung.',
    remedy: 'Write it in English.',
  },
  { line: 0, severity: LyricsFinding_Severity.NOTE, code: 'short', message: 'It is short.' },
];

let memory: MemoryStudio;

/** Opens the page, and chooses the engine that sings. */
async function openForm() {
  await openPage(memory);
  await screen.findByRole('option', { name: 'DiffRhythm' });
  await userEvent.selectOptions(screen.getByTestId('engine'), 'diffrhythm');
  return userEvent.setup();
}

function asked(index = -1): GenerateSpec {
  const kind = memory.jobs.jobs.at(index)?.spec?.kind;
  if (kind?.case !== 'generate') throw new Error('nothing to generate');
  return kind.value;
}

/** Asks for what the form says. */
async function make(jobs = 1) {
  await userEvent.type(screen.getByTestId('prompt'), 'rain');
  await userEvent.click(screen.getByTestId('make'));
  await waitFor(() => expect(memory.jobs.jobs).toHaveLength(jobs));
}

beforeEach(() => {
  memory = createMemoryStudio();
  memory.engines.put(sampleSinger(READY_ENVIRONMENT));
  memory.models.models = sampleModels();
  memory.models.install('diffrhythm-1.2-base');
  memory.engines.checked = { findings: FINDINGS, timedLyrics: '[00:10.00]Rain\n' };
});

afterEach(closePages);

describe('a check of lyrics', () => {
  it('is made on demand, told line by line, and its times can be used', async () => {
    const user = await openForm();
    expect(screen.getByTestId('check-lyrics')).toHaveAttribute('aria-disabled', 'true');
    await user.type(screen.getByTestId('lyrics'), 'Rain\nПривет');
    await user.click(screen.getByRole('button', { name: 'Check lyrics' }));
    expect(await screen.findByText('1 not sung, 1 note')).toBeInTheDocument();
    expect(memory.engines.checks[0]).toMatchObject({
      engine: 'diffrhythm',
      parameters: { lyrics: 'Rain\nПривет', durationSeconds: 60 },
    });
    const [error, note] = screen.getAllByTestId('finding');
    expect(error).toHaveTextContent('Line 2Not sungIt is in no language');
    expect(error).toHaveTextContent('Write it in English.');
    expect(note).toHaveTextContent('All linesNoteIt is short.');
    await user.click(screen.getByRole('button', { name: 'Line 2' }));
    const area = screen.getByTestId('lyrics') as HTMLTextAreaElement;
    expect(area).toHaveFocus();
    expect(area.value.slice(area.selectionStart, area.selectionEnd)).toBe('Привет');

    await user.click(screen.getByRole('button', { name: 'Use these times' }));
    expect(area).toHaveValue('[00:10.00]Rain\n');
    expect(screen.getByTestId('lyrics-status')).toHaveTextContent('Changed since the last check');
    expect(screen.queryByTestId('use-times')).toBeNull();
    await user.clear(area);
    expect(screen.queryByTestId('finding')).toBeNull();
  });

  it('is made by itself once the engine is up, and not before', async () => {
    const singer = sampleSinger(READY_ENVIRONMENT);
    const user = await openForm();
    await user.type(screen.getByTestId('lyrics'), 'Rain');
    await new Promise((resolve) => setTimeout(resolve, 1_300));
    expect(memory.engines.checks).toHaveLength(0);

    memory.engines.put({ ...singer, state: Engine_State.READY });
    memory.engines.checked = {};
    await user.click(screen.getByTestId('check-lyrics'));
    expect(await screen.findByText('All lines can be sung')).toBeInTheDocument();
    await user.type(screen.getByTestId('lyrics'), 'y');
    expect(memory.engines.checks).toHaveLength(1);
    await waitFor(() => expect(memory.engines.checks).toHaveLength(2), AFTER_THE_PAUSE);
    expect(memory.engines.checks[1]?.parameters?.lyrics).toBe('Rainy');
  });

  it('says why it could not be made', async () => {
    const user = await openForm();
    const missing = studioError(
      Code.FailedPrecondition,
      'ENVIRONMENT_MISSING',
      'The environment is not there.',
      'Set it up.',
    );
    memory.engines.failNext.set('checkLyrics', missing);
    await user.type(screen.getByTestId('lyrics'), 'Rain');
    await user.click(screen.getByTestId('check-lyrics'));
    expect(await screen.findByTestId('error-message')).toHaveTextContent('not there');
    expect(screen.getByTestId('remedy')).toHaveTextContent('Set it up.');
  });
});

describe('the style', () => {
  it('is taken from a track that was found in the library', async () => {
    memory.library.add({ trackId: 't1', title: 'Rainy Night' });
    memory.library.add({ trackId: 't2', title: 'Harbour' });
    const user = await openForm();
    const style = within(screen.getByRole('group', { name: 'Style from' }));
    expect(style.getByRole('radio', { name: 'The prompt' })).toBeChecked();
    await user.click(style.getByRole('radio', { name: 'A track' }));
    await make(0);
    expect(await style.findByTestId('field-error')).toHaveTextContent('No track was chosen');
    await waitFor(() => expect(style.getAllByTestId('pick-track')).toHaveLength(2));
    await user.type(style.getByRole('searchbox', { name: 'Find a track' }), 'night');
    await waitFor(() => expect(style.getAllByTestId('pick-track')).toHaveLength(1));
    await user.click(style.getByRole('button', { name: /Rainy Night/ }));
    expect(style.getByTestId('picked-track')).toHaveTextContent('Rainy Night');
    expect(style.queryByTestId('field-error')).toBeNull();
    await make();
    expect(asked().styleAudio?.source).toEqual({ case: 'trackId', value: 't1' });

    await user.click(style.getByRole('button', { name: 'Another one' }));
    expect(style.getByTestId('find-track')).toHaveFocus();
    await user.type(style.getByTestId('find-track'), 'nothing');
    expect(await style.findByText('No track holds these words.')).toBeInTheDocument();
    await user.clear(style.getByTestId('find-track'));
    await waitFor(() => expect(style.getAllByTestId('pick-track')).toHaveLength(2));
    await user.type(style.getByTestId('find-track'), '{Enter}');
    expect(style.getByTestId('picked-track')).toHaveTextContent('Harbour');
  });

  it('is not sent to an engine that takes none from music', async () => {
    const user = await openForm();
    await user.click(screen.getByTestId('style-track'));
    await user.selectOptions(screen.getByTestId('engine'), 'composer');
    expect(screen.queryByTestId('style')).toBeNull();
    await make();
    expect(asked().styleAudio).toBeUndefined();
  });
});

describe('the model', () => {
  it('is one of those that are installed, or left to the engine', async () => {
    const user = await openForm();
    const model = await screen.findByRole('combobox', { name: 'Model' });
    const names = [...(model as HTMLSelectElement).options].map(({ text }) => text);
    expect(names).toEqual(['Automatic', 'DiffRhythm 1.2 base']);
    await user.click(screen.getByText('Engine options'));
    expect(screen.getByTestId('option-steps')).toBeInTheDocument();
    expect(screen.queryByTestId('option-style')).toBeNull();
    await user.selectOptions(model, 'DiffRhythm 1.2 base');
    await make();
    expect(asked().parameters?.options).toEqual({ model: 'diffrhythm-1.2-base' });
    await user.selectOptions(model, 'Automatic');
    await make(2);
    expect(asked().parameters?.options).toBeUndefined();
  });

  it('that was removed since is still named', async () => {
    const user = await openForm();
    await user.selectOptions(await screen.findByTestId('option-model'), 'DiffRhythm 1.2 base');
    memory.models.models = sampleModels();
    await user.click(screen.getByTestId('engines'));
    const name = 'DiffRhythm 1.2 base (not installed)';
    expect(await screen.findByRole('option', { name, hidden: true })).toBeInTheDocument();
    await user.click(screen.getByTestId('engines-dialog-close'));
    const note = within(await screen.findByTestId('engine-note'));
    expect(note.getByText('No model of DiffRhythm is installed.')).toBeInTheDocument();
    await user.click(note.getByRole('button', { name: 'Install one…' }));
    expect(await screen.findByRole('heading', { name: 'DiffRhythm' })).toHaveFocus();
  });
});

describe('versions', () => {
  it('are as many jobs with seeds that follow each other', async () => {
    await openPage(memory);
    await userEvent.click(screen.getByTestId('versions-3'));
    await userEvent.type(screen.getByTestId('seed'), '4294967294');
    expect(screen.getByTestId('make')).toHaveTextContent('Make 3 versions');
    await make(3);
    const seeds = [0, 1, 2].map((index) => asked(index).parameters?.seed);
    expect(seeds).toEqual([4_294_967_294, 4_294_967_295, 0]);
  });

  it('are one batch: all or none, and none is made twice after a failure', async () => {
    await openPage(memory);
    await userEvent.click(screen.getByTestId('versions-2'));
    const lost = studioError(Code.Unavailable, 'STORE_UNAVAILABLE', 'No store.', 'Try again.');
    memory.jobs.failNext.set('batchCreateJobs', lost);
    await make(0);
    expect(await screen.findByTestId('error-message')).toHaveTextContent('No store.');
    await userEvent.click(screen.getByTestId('make'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(2));
    const requests = memory.jobs.calls
      .filter((call) => call.method === 'batchCreateJobs')
      .map((call) => call.request as BatchCreateJobsRequest);
    expect(requests).toHaveLength(2);
    expect(requests[1]?.requestId).toBe(requests[0]?.requestId);
    const seeds = requests[1]?.requests.map(({ spec }) => {
      return spec?.kind.case === 'generate' && spec.kind.value.parameters?.seed;
    });
    expect(seeds).toEqual([undefined, undefined]);
    expect(await screen.findByTestId('batch-card')).toHaveTextContent('2 versions');
  });

  it('that are refused are refused at their field', async () => {
    await openPage(memory);
    await userEvent.click(screen.getByTestId('versions-2'));
    await userEvent.click(screen.getByTestId('make'));
    expect(await screen.findByTestId('field-error')).toHaveTextContent('1 to 2,000 characters');
    expect(screen.getByTestId('prompt')).toHaveFocus();
    expect(memory.jobs.jobs).toHaveLength(0);
  });
});
