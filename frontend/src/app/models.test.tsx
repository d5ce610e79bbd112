import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import { Model_State } from '@/gen/musicgen/api/inference/v1/model_pb';
import { Job_State, type JobSpec, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { invalidField, studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage } from '@/testing/open-page';
import { sampleModels } from '@/testing/sample-models';
import { READY_ENVIRONMENT, sampleSinger } from '@/testing/sample-singer';

let memory: MemoryStudio;

/** Opens the page, and in it engines and models. */
async function openEngines() {
  await openPage(memory);
  await userEvent.click(screen.getByRole('button', { name: 'Engines' }));
  const dialog = within(await screen.findByRole('dialog', { name: 'Engines and models' }));
  const card = await dialog.findByRole('region', { name: 'DiffRhythm' });
  await waitFor(() => expect(within(card).getAllByTestId('model')).toHaveLength(2));
  return { dialog, card: within(card) };
}

/** The card of a model. */
function modelOf(card: Awaited<ReturnType<typeof openEngines>>['card'], name: string) {
  const found = card.getAllByTestId('model').find((one) => one.dataset.model === name);
  return within(found as HTMLElement);
}

/** What was asked for last. */
const asked = (): JobSpec['kind'] | undefined => memory.jobs.jobs.at(-1)?.spec?.kind;
const lastJob = (): string => memory.jobs.jobs.at(-1)?.jobId ?? '';

beforeEach(() => {
  memory = createMemoryStudio();
  memory.engines.put(sampleSinger(READY_ENVIRONMENT));
  memory.models.models = sampleModels();
});

afterEach(closePages);

describe('a model', () => {
  it('tells before it is installed what its licences mean, and waits until they are accepted', async () => {
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-base');
    expect(model.getByTestId('model-state')).toHaveTextContent('Not installed');
    expect(model.getByText(/2.2 GB, 5.5 GB with its parts; takes 4.5 GB of memory/)).toBeVisible();
    expect(model.getByTestId('non-commercial')).toBeInTheDocument();
    await userEvent.click(model.getByRole('button', { name: 'Install DiffRhythm 1.2 base…' }));

    const licences = model.getAllByTestId('licence');
    expect(licences).toHaveLength(3);
    expect(licences[0]).toHaveTextContent('Don’t make tracks with them that you sell');
    expect(licences[0]).toHaveTextContent('For MuQ-MuLan large');
    expect(licences[2]).toHaveTextContent('For DiffRhythm 1.2 base, XLM-RoBERTa base');
    expect(model.getByRole('link', { name: 'Stability AI Community License' })).toHaveAttribute(
      'href',
      'https://stability.ai/community-license-agreement',
    );
    expect(model.getByText('5.5 GB to fetch')).toBeInTheDocument();

    const install = model.getByRole('button', { name: 'Install' });
    expect(install).toHaveAttribute('aria-disabled', 'true');
    await userEvent.click(install);
    expect(memory.jobs.jobs).toHaveLength(0);
    await userEvent.click(model.getByRole('checkbox', { name: /accept them/ }));
    await userEvent.click(install);
    await waitFor(() => expect(asked()?.case).toBe('installModel'));
    expect(asked()?.value).toMatchObject({ model: 'diffrhythm-1.2-base', acceptLicence: true });
  });

  it('is installed from a folder of the studio’s machine, and what is wrong with it told there', async () => {
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-full');
    await userEvent.click(model.getByTestId('install-open'));
    await userEvent.click(model.getByTestId('accept-licences'));
    expect(model.getByTestId('folder-part')).not.toHaveAttribute('open');
    await userEvent.click(model.getByText('From a folder on this machine…'));
    await userEvent.type(model.getByRole('textbox', { name: 'Folder' }), 'models');
    expect(model.getByText('Nothing is fetched')).toBeInTheDocument();
    memory.jobs.failNext.set(
      'createJob',
      invalidField('spec.install_model.folder', 'must be absolute'),
    );
    await userEvent.click(model.getByTestId('install'));
    expect(await model.findByTestId('field-error')).toHaveTextContent('It must be absolute.');
    expect(model.queryByTestId('error-message')).toBeNull();
    await userEvent.clear(model.getByTestId('install-folder'));
    expect(model.queryByTestId('field-error')).toBeNull();
    await userEvent.type(model.getByTestId('install-folder'), '/mnt/models');
    await userEvent.click(model.getByTestId('install'));
    await waitFor(() => expect(asked()?.value).toMatchObject({ folder: '/mnt/models' }));

    await happen(() => memory.jobs.start(lastJob()));
    await happen(() =>
      memory.jobs.fail(lastJob(), {
        message: 'The folder has no cfm_model.pt.',
        remedy: 'Put it there.',
        metadata: { 'field:folder': 'has no cfm_model.pt' },
      }),
    );
    expect(model.getByTestId('error-message')).toHaveTextContent('has no cfm_model.pt');
    await userEvent.click(model.getByTestId('install-open'));
    expect(model.getByTestId('install-folder')).toHaveValue('/mnt/models');
    expect(model.getByTestId('folder-part')).toHaveAttribute('open');
    expect(model.getByTestId('field-error')).toHaveTextContent('It has no cfm_model.pt.');
    expect(model.queryByTestId('error-message')).toBeNull();
  });

  it('is fetched with bytes, rate and time left, and is there when that is done', async () => {
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-base');
    await userEvent.click(model.getByTestId('install-open'));
    await userEvent.click(model.getByTestId('accept-licences'));
    await userEvent.click(model.getByTestId('install'));
    expect(await model.findByTestId('work-stage')).toHaveTextContent('Waits for a worker');
    await happen(() => memory.jobs.start(lastJob()));
    await happen(() =>
      memory.jobs.progress(lastJob(), {
        stage: 'downloading',
        detail: 'cfm_model.pt',
        fraction: 0.25,
        eta: { seconds: 90n },
        transfer: {
          doneBytes: 1_400_000_000n,
          totalBytes: 5_500_000_000n,
          bytesPerSecond: 48_000_000,
        },
      }),
    );
    expect(model.getByTestId('work-stage')).toHaveTextContent('Downloading: cfm_model.pt');
    expect(model.getByTestId('work-transfer')).toHaveTextContent('1.4 GB of 5.5 GB, 48 MB/s');
    expect(model.getByTestId('work-eta')).toHaveTextContent('About 1 min 30 s left');
    expect(
      model.getByRole('progressbar', { name: 'Installing DiffRhythm 1.2 base' }),
    ).toHaveAttribute('aria-valuenow', '25');
    expect(screen.getByTestId('engines-progress')).toHaveTextContent('25%');
    expect(screen.queryByTestId('job-card')).toBeNull();

    memory.models.install('diffrhythm-1.2-base');
    await happen(() => memory.jobs.succeed(lastJob(), {}));
    await waitFor(() => expect(model.getByTestId('model-state')).toHaveTextContent('Installed'));
    expect(model.queryByTestId('work')).toBeNull();
    expect(screen.queryByTestId('engines-progress')).toBeNull();
    const full = modelOf(card, 'diffrhythm-1.2-full');
    await userEvent.click(full.getByTestId('install-open'));
    expect(full.queryByTestId('accept-licences')).toBeNull(); // they were accepted with the other
    expect(full.getByText('2.2 GB to fetch, 3.3 GB are here already')).toBeInTheDocument();
  });

  it('says why it could not be fetched, until that is dismissed', async () => {
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-full');
    await userEvent.click(model.getByTestId('install-open'));
    await userEvent.click(model.getByTestId('accept-licences'));
    const full = studioError(Code.ResourceExhausted, 'QUEUE_FULL', 'Too much work.', 'Wait.');
    memory.jobs.failNext.set('createJob', full);
    await userEvent.click(model.getByTestId('install'));
    expect(await model.findByTestId('error-message')).toHaveTextContent('Too much work.');
    await userEvent.click(model.getByTestId('install'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const error = {
      reason: ErrorReason.DISK_FULL,
      message: 'The disk has too little room.',
      remedy: 'Free 5.5 GB.',
    };
    await happen(() => memory.jobs.start(lastJob()));
    await happen(() => memory.jobs.fail(lastJob(), error));
    expect(model.getByTestId('error-message')).toHaveTextContent('too little room');
    expect(model.getByTestId('remedy')).toHaveTextContent('Free 5.5 GB.');
    await userEvent.click(model.getByTestId('dismiss'));
    await waitFor(() => expect(model.queryByTestId('error-message')).toBeNull());
    expect(memory.jobs.jobs).toHaveLength(0);
  });

  it('can be stopped on its way, and goes on from what is there', async () => {
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-base');
    await userEvent.click(model.getByTestId('install-open'));
    await userEvent.click(model.getByTestId('accept-licences'));
    await userEvent.click(model.getByTestId('install'));
    const cancel = await model.findByRole('button', { name: /^Cancel: Installing/ });
    await happen(() => memory.jobs.start(lastJob()));
    await userEvent.click(cancel);
    await waitFor(() => expect(model.getByTestId('work-stage')).toHaveTextContent('Stopping'));
    memory.models.set('diffrhythm-1.2-base', { installedBytes: 1_000_000_000n });
    await happen(() => memory.jobs.cancelled(lastJob()));
    await userEvent.click(await model.findByTestId('install-open'));
    expect(await model.findByText(/4.5 GB to fetch, 1 GB are here already/)).toBeInTheDocument();
    await userEvent.click(model.getByRole('button', { name: 'Not now' }));
    expect(model.getByTestId('install-open')).toHaveFocus();
    await userEvent.click(model.getByTestId('remove-model'));
    await userEvent.click(model.getByTestId('remove-model-sure'));
    expect(memory.models.calls).toEqual(['removeModel diffrhythm-1.2-base']);
  });

  it('is loaded, which is asked after only while it lasts, and unloaded', async () => {
    memory.models.install('diffrhythm-1.2-base');
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-base');
    await userEvent.click(model.getByRole('button', { name: 'Load DiffRhythm 1.2 base' }));
    await waitFor(() => expect(model.getByTestId('model-state')).toHaveTextContent('Loading…'));
    const before = memory.models.lists;
    memory.models.set('diffrhythm-1.2-base', { state: Model_State.LOADED });
    await waitFor(() => expect(model.getByTestId('model-state')).toHaveTextContent(/^Loaded$/), {
      timeout: 3_000,
    });
    expect(memory.models.lists).toBeGreaterThan(before);
    const settled = memory.models.lists;
    await happen(() => {});
    expect(memory.models.lists).toBe(settled);
    await userEvent.click(model.getByRole('button', { name: 'Unload DiffRhythm 1.2 base' }));
    await waitFor(() => expect(model.getByTestId('load')).toBeInTheDocument());
    expect(memory.models.calls).toEqual([
      'loadModel diffrhythm-1.2-base',
      'unloadModel diffrhythm-1.2-base',
    ]);
  });

  it('says why it can’t be loaded', async () => {
    memory.models.install('diffrhythm-1.2-base');
    memory.models.set('diffrhythm-1.2-base', { detail: 'it could not be loaded: no memory' });
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-base');
    expect(model.getByTestId('model-detail')).toHaveTextContent(
      'It could not be loaded: no memory.',
    );
    const busy = studioError(Code.FailedPrecondition, 'MODEL_IN_USE', 'It is working.', 'Wait.');
    memory.models.failNext.set('loadModel', busy);
    await userEvent.click(model.getByTestId('load'));
    expect(await model.findByTestId('error-message')).toHaveTextContent('It is working.');
    expect(model.getByTestId('remedy')).toHaveTextContent('Wait.');
  });

  it('is verified by a job, which may find it damaged, and installed again', async () => {
    memory.models.install('diffrhythm-1.2-base');
    const { card } = await openEngines();
    const model = modelOf(card, 'diffrhythm-1.2-base');
    await userEvent.click(model.getByRole('button', { name: 'Verify DiffRhythm 1.2 base' }));
    await waitFor(() => expect(asked()?.case).toBe('verifyModel'));
    expect(
      await model.findByRole('progressbar', { name: 'Verifying DiffRhythm 1.2 base' }),
    ).toBeInTheDocument();
    memory.models.set('diffrhythm-1.2-base', {
      state: Model_State.CORRUPT,
      detail: 'cfm_model.pt differs',
    });
    await happen(() =>
      memory.jobs.fail(lastJob(), { message: 'It is damaged.', remedy: 'Again.' }),
    );
    await waitFor(() => expect(model.getByTestId('model-state')).toHaveTextContent('Damaged'));
    expect(model.getByTestId('model-detail')).toHaveTextContent('Cfm_model.pt differs.');
    expect(model.getByTestId('install-open')).toHaveTextContent('Install again…');
  });

  it('that is only needed by others is among the parts', async () => {
    const { card } = await openEngines();
    const parts = within(card.getByTestId('parts'));
    expect(parts.getAllByTestId('part')).toHaveLength(3);
    expect(parts.getByText('Parts that come with them (3)')).toBeInTheDocument();
    expect(parts.getByText('DiffRhythm VAE')).toBeInTheDocument();
  });

  it('that nothing needs can be installed, whatever its engine calls it', async () => {
    const [, , part] = sampleModels();
    if (part !== undefined)
      memory.models.models.push({ ...part, name: 'mine', displayName: 'Mine' });
    await openPage(memory);
    await userEvent.click(screen.getByTestId('engines'));
    expect(await screen.findByRole('button', { name: 'Install Mine…' })).toBeInTheDocument();
  });

  it('of an engine that is not here is shown all the same', async () => {
    memory.models.models = sampleModels().map((model) => ({ ...model, engine: 'other' }));
    await openPage(memory);
    await userEvent.click(screen.getByTestId('engines'));
    const card = within(await screen.findByRole('region', { name: 'other' }));
    expect(card.getByText(/no engine of that name/)).toBeInTheDocument();
    expect(card.getAllByTestId('model')).toHaveLength(2);
  });
});

describe('engines and models', () => {
  it('say when they could not be listed, and are tried again', async () => {
    memory.models.models = [];
    const down = studioError(Code.Unavailable, 'SERVICE_UNAVAILABLE', 'It is starting.', 'Wait.');
    memory.models.failNext.set('listModels', down);
    await openPage(memory);
    await waitFor(() => expect(memory.models.failNext.size).toBe(0));
    memory.models.failNext.set('listModels', down);
    await userEvent.click(screen.getByTestId('engines'));
    const dialog = within(await screen.findByTestId('engines-dialog'));
    expect(await dialog.findByText('It is starting.')).toBeInTheDocument();
    await userEvent.click(dialog.getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(dialog.queryByText('It is starting.')).toBeNull());
  });

  it('close again', async () => {
    const { dialog } = await openEngines();
    await userEvent.click(dialog.getByRole('button', { name: 'Close' }));
    expect(screen.queryByTestId('engines-dialog')).toBeNull();
  });

  it('follow work that another page began', async () => {
    const { card } = await openEngines();
    const kind = { case: 'installModel' as const, value: { model: 'diffrhythm-1.2-full' } };
    const spec = create(JobSpecSchema, { kind });
    await happen(() => {
      void memory.jobs.service().createJob?.({ spec, requestId: '' } as never, {} as never);
    });
    const model = modelOf(card, 'diffrhythm-1.2-full');
    expect(await model.findByTestId('work')).toBeInTheDocument();
    expect(memory.jobs.jobs[0]?.state).toBe(Job_State.QUEUED);
  });
});
