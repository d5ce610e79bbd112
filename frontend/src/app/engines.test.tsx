import { Code } from '@connectrpc/connect';
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  SetupEngineSpec_Action as Action,
  Environment_State,
} from '@/gen/musicgen/api/inference/v1/environment_pb';
import type { JobSpec } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage } from '@/testing/open-page';
import { READY_ENVIRONMENT, sampleSinger } from '@/testing/sample-singer';

let memory: MemoryStudio;

const asked = (): JobSpec['kind'] | undefined => memory.jobs.jobs.at(-1)?.spec?.kind;
const lastJob = (): string => memory.jobs.jobs.at(-1)?.jobId ?? '';

/** Opens engines and models; returns what stands there of the environment of the one engine. */
async function openEnvironment() {
  await openPage(memory);
  await userEvent.click(screen.getByTestId('engines'));
  return within(await screen.findByRole('region', { name: 'Environment of DiffRhythm' }));
}

beforeEach(() => {
  memory = createMemoryStudio();
  memory.engines.put(sampleSinger());
});

afterEach(closePages);

describe('the environment of an engine', () => {
  it('is set up by a job that is followed live, and is ready when that is done', async () => {
    const environment = await openEnvironment();
    expect(environment.getByTestId('environment-state')).toHaveTextContent('Not set up');
    await userEvent.click(environment.getByRole('button', { name: 'Set up DiffRhythm' }));
    await waitFor(() => expect(asked()?.case).toBe('setupEngine'));
    expect(asked()?.value).toMatchObject({ engine: 'diffrhythm', action: Action.MAKE });
    await happen(() => memory.jobs.start(lastJob()));
    const step = { stage: 'torch', detail: 'torch 2.13.0', fraction: 0.4, eta: { seconds: 20n } };
    await happen(() => memory.jobs.progress(lastJob(), step));
    expect(environment.getByTestId('work-stage')).toHaveTextContent('Torch: torch 2.13.0');
    expect(environment.getByTestId('work-percent')).toHaveTextContent('40%');
    expect(environment.queryByTestId('work-transfer')).toBeNull();
    expect(environment.getByRole('progressbar', { name: 'Setting up DiffRhythm' })).toBeVisible();
    expect(environment.getByRole('status')).toHaveTextContent('DiffRhythm: torch');
    expect(environment.queryByTestId('setup')).toBeNull();
    expect(screen.queryByTestId('job-card')).toBeNull();

    memory.engines.put(sampleSinger(READY_ENVIRONMENT));
    await happen(() => memory.jobs.succeed(lastJob(), {}));
    await waitFor(() =>
      expect(environment.getByTestId('environment-state')).toHaveTextContent('Ready'),
    );
    expect(environment.getByText('910 MB, built for cpu')).toBeInTheDocument();
  });

  it('is repaired, and removed after a second press', async () => {
    memory.engines.put(sampleSinger(READY_ENVIRONMENT));
    const environment = await openEnvironment();
    await userEvent.click(
      environment.getByRole('button', { name: 'Repair the environment of DiffRhythm' }),
    );
    await waitFor(() => expect(asked()?.value).toMatchObject({ action: Action.REPAIR }));
    await happen(() => memory.jobs.succeed(lastJob(), {}));
    await userEvent.click(
      await environment.findByRole('button', { name: 'Remove the environment of DiffRhythm' }),
    );
    expect(environment.getByRole('button', { name: 'Keep' })).toHaveFocus();
    expect(memory.jobs.jobs).toHaveLength(1);
    await userEvent.click(environment.getByRole('button', { name: 'Remove the environment' }));
    await waitFor(() => expect(asked()?.value).toMatchObject({ action: Action.REMOVE }));
    const name = 'Removing the environment of DiffRhythm';
    expect(await environment.findByRole('progressbar', { name })).toBeInTheDocument();
  });

  it.each([
    [Environment_State.BROKEN, 'Damaged', 'repair', 'packages are missing: numpy'],
    [Environment_State.OUTDATED, 'Outdated', 'setup', 'it was made for another device'],
  ])('that is not as it should be says why (%s)', async (state, word, button, detail) => {
    memory.engines.put(sampleSinger({ state, detail, deviceBuild: 'cpu' }));
    const environment = await openEnvironment();
    expect(environment.getByTestId('environment-state')).toHaveTextContent(word);
    expect(environment.getByText(new RegExp(`${detail}.$`, 'i'))).toBeInTheDocument();
    expect(environment.getByTestId(button)).toBeInTheDocument();
  });

  it('says why it could not be set up, and is stopped on demand', async () => {
    const environment = await openEnvironment();
    await userEvent.click(environment.getByTestId('setup'));
    await userEvent.click(await environment.findByTestId('work-cancel'));
    await waitFor(() => expect(environment.getByTestId('setup')).toBeInTheDocument());
    await userEvent.click(environment.getByTestId('setup'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(2));
    const error = { message: 'The download broke off.', remedy: 'Try again.' };
    await happen(() => memory.jobs.fail(lastJob(), error));
    expect(environment.getByTestId('error-message')).toHaveTextContent('The download broke off.');
    await userEvent.click(environment.getByTestId('setup'));
    await waitFor(() => expect(environment.queryByTestId('error-message')).toBeNull());
  });

  it('is told at the engine’s choice, with a way to set it up', async () => {
    await openPage(memory);
    const engine = screen.getByTestId('engine');
    await screen.findByRole('option', { name: 'DiffRhythm (not set up)' });
    expect(screen.queryByTestId('engine-note')).toBeNull();
    await userEvent.selectOptions(engine, 'diffrhythm');
    const note = within(screen.getByTestId('engine-note'));
    expect(note.getByText('DiffRhythm has to be set up first.')).toBeInTheDocument();
    await userEvent.click(note.getByRole('button', { name: 'Set it up…' }));
    const card = await screen.findByRole('region', { name: 'DiffRhythm' });
    expect(within(card).getByRole('heading', { name: 'DiffRhythm' })).toHaveFocus();
    await userEvent.click(screen.getByTestId('setup'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    await happen(() => memory.jobs.start(lastJob()));
    await happen(() => memory.jobs.progress(lastJob(), { stage: 'torch', fraction: 0.4 }));
    expect(note.getByText('It is being set up. 40%')).toBeInTheDocument();
    memory.engines.put(sampleSinger(READY_ENVIRONMENT));
    await happen(() => memory.jobs.succeed(lastJob(), {}));
    await waitFor(() => expect(screen.queryByTestId('engine-note')).toBeNull());
    expect(screen.getByRole('option', { name: 'DiffRhythm', hidden: true })).toBeInTheDocument();
  });

  it('is known anew when the studio comes back', async () => {
    const environment = await openEnvironment();
    memory.engines.put(sampleSinger(READY_ENVIRONMENT));
    await happen(() => memory.jobs.history.drop());
    window.dispatchEvent(new Event('online'));
    await waitFor(() =>
      expect(environment.getByTestId('environment-state')).toHaveTextContent('Ready'),
    );
  });
});

describe('what engines compute on', () => {
  async function openDevices() {
    await openPage(memory);
    await userEvent.click(screen.getByTestId('engines'));
    const devices = within(await screen.findByRole('group', { name: 'Engines compute on' }));
    await waitFor(() => expect(devices.getAllByRole('radio')).toHaveLength(3));
    return devices;
  }

  it('is one of a list, or left to the studio', async () => {
    const devices = await openDevices();
    expect(devices.getByRole('radio', { name: /^Automatic/ })).toBeChecked();
    expect(devices.getByText('now NVIDIA GeForce RTX 4070')).toBeInTheDocument();
    expect(devices.getByText('12 GB of memory, half precision (bfloat16)')).toBeInTheDocument();
    const processor = devices.getByRole('radio', { name: /AMD Ryzen.*full precision only/ });
    memory.engines.put(sampleSinger({ state: Environment_State.OUTDATED, detail: 'other device' }));
    await userEvent.click(processor);
    await waitFor(() => expect(memory.engines.devices.choice).toBe('cpu'));
    expect(processor).toBeChecked();
    await waitFor(() =>
      expect(screen.getByTestId('environment-state')).toHaveTextContent('Outdated'),
    );
  });

  it('says what is wrong with the one that was chosen', async () => {
    memory.engines.devices.choice = 'cuda:1';
    memory.engines.devices.trouble = 'There is no cuda:1 any more.';
    await openPage(memory);
    await userEvent.click(screen.getByTestId('engines'));
    const devices = within(await screen.findByTestId('devices'));
    expect(await devices.findByTestId('error-message')).toHaveTextContent('no cuda:1 any more');
    expect(devices.getByRole('radio', { name: /^cuda:1/ })).toBeChecked();
    await userEvent.click(devices.getByTestId('device-auto'));
    await waitFor(() => expect(devices.queryByTestId('error-message')).toBeNull());
  });

  it('stays as it is if the studio refuses', async () => {
    const devices = await openDevices();
    const gone = studioError(Code.NotFound, 'DEVICE_NOT_FOUND', 'It is gone.', 'Choose another.');
    memory.engines.failNext.set('selectDevice', gone);
    await userEvent.click(devices.getByTestId('device-cpu'));
    expect(await devices.findByTestId('error-message')).toHaveTextContent('It is gone.');
    expect(devices.getByTestId('device-auto')).toBeChecked();
    await userEvent.click(devices.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(devices.queryByTestId('error-message')).toBeNull());
  });
});
