import type { JsonObject } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GenerateSpec } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { FakeAudio } from '@/testing/fake-audio';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage, servePeaks } from '@/testing/open-page';
import { sampleRecipe } from '@/testing/sample-recipe';

let memory: MemoryStudio;
let audio: FakeAudio;
let spare: FakeAudio;

const open = () =>
  openPage(memory, { audio: audio.element, spareAudio: spare.element, saveFile: () => {} });

/** Opens the row of a track that the composer made. */
async function openTrack(part: object = {}) {
  memory.library.add({ trackId: 't1', title: 'Rainy Night', recipe: sampleRecipe(), ...part });
  await open();
  await userEvent.click((await screen.findAllByTestId('row-open'))[0] as HTMLElement);
  return within(await screen.findByTestId('track-card'));
}

function asked(index = -1): GenerateSpec {
  const kind = memory.jobs.jobs.at(index)?.spec?.kind;
  if (kind?.case !== 'generate') throw new Error('nothing to generate');
  return kind.value;
}

const planAsked = (index = -1) => asked(index).parameters?.options?.plan as JsonObject;

beforeEach(() => {
  memory = createMemoryStudio();
  audio = new FakeAudio();
  spare = new FakeAudio();
  servePeaks();
});

afterEach(() => {
  closePages();
  vi.unstubAllGlobals();
});

describe('a variation of a track', () => {
  it('is asked for by a preset: same plan, prompt and seed, another melody', async () => {
    const track = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('variation'));
    const form = within(track.getByTestId('variation-form'));
    expect(await form.findByTestId('preset-melody')).toHaveAttribute('aria-pressed', 'true');
    expect(form.queryByTestId('layer-arp')).toBeNull();
    expect(form.queryByTestId('layer-plan')).toBeNull();
    await user.click(form.getByTestId('make-variation'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    expect(asked()).toMatchObject({ engine: 'composer', parentTrackId: 't1' });
    const { parameters } = asked();
    expect(parameters).toMatchObject({ seed: 7, durationSeconds: 90 });
    expect(Object.keys(parameters?.options?.seeds as JsonObject)).toEqual(['lead']);
    const decided = (sampleRecipe().decisions as JsonObject).plan as JsonObject;
    expect(planAsked()).toEqual({ ...decided, title: 'Rainy Night (new melody)' });
    expect(form.getByTestId('made')).toHaveTextContent('It is being made.');
    const jobId = memory.jobs.jobs[0]?.jobId ?? '';
    memory.library.add({
      trackId: 't2',
      title: 'New',
      parentTrackId: 't1',
      recipe: sampleRecipe(),
    });
    await happen(() => memory.jobs.start(jobId));
    await happen(() => memory.jobs.succeed(jobId, { trackIds: ['t2'] }));
    expect(form.getByTestId('made')).toHaveTextContent('It is made.');
    const card = within(screen.getByTestId('job-card'));
    expect(await card.findByTestId('lineage')).toHaveTextContent('Variation of Rainy Night');
    await user.click(card.getByRole('button', { name: 'Rainy Night' }));
    const row = screen.getAllByTestId('library-row').find((one) => one.dataset.trackId === 't1');
    expect(within(row as HTMLElement).getByTestId('row-open')).toHaveFocus();
  });

  it('can be several at once, of the layers that were chosen', async () => {
    const track = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('variation'));
    const form = within(track.getByTestId('variation-form'));
    await user.click(await form.findByTestId('preset-another'));
    expect(form.getByTestId('layer-sound')).not.toBeChecked();
    expect(form.getByTestId('layer-bass')).toBeChecked();
    await user.click(form.getByTestId('preset-drums'));
    await user.click(form.getByTestId('layer-bass'));
    await user.click(form.getByTestId('count-3'));
    await user.click(form.getByRole('button', { name: 'Make 3 variations' }));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(3));
    const seeds = [0, 1, 2].map((index) => asked(index).parameters?.options?.seeds as JsonObject);
    expect(seeds.map((one) => Object.keys(one).sort())).toEqual(
      Array.from({ length: 3 }, () => ['bass', 'drums']),
    );
    expect(new Set(seeds.map((one) => one.drums)).size).toBe(3);
    expect(planAsked(1).title).toBe('Rainy Night (new drums, bass 2)');
    expect(form.getByTestId('made')).toHaveTextContent('0 of 3 made.');
    for (const [index, job] of memory.jobs.jobs.entries()) {
      await happen(() =>
        index === 0
          ? memory.jobs.fail(job.jobId, { message: 'The disk is full.', remedy: 'Make room.' })
          : memory.jobs.succeed(job.jobId, { trackIds: [] }),
      );
    }
    expect(form.getByTestId('made')).toHaveTextContent('2 of 3 could be made.');
    expect(form.getByText('The disk is full.')).toBeInTheDocument();
  });

  it('that is refused says why; nothing chosen asks for nothing', async () => {
    const track = await openTrack({ parentTrackId: 'gone' });
    expect(await track.findByTestId('lineage')).toHaveTextContent('no longer in the library');
    const user = userEvent.setup();
    await user.click(track.getByTestId('variation'));
    const form = within(track.getByTestId('variation-form'));
    expect(form.queryByText(/made by composer/)).toBeNull();
    await user.click(await form.findByTestId('layer-lead'));
    await user.click(form.getByTestId('make-variation'));
    expect(memory.jobs.jobs).toHaveLength(0);
    await user.click(form.getByTestId('preset-melody'));
    const fields = { 'spec.generate.parameters.options.seeds.lead': 'is not valid' };
    const refusal = studioError(
      Code.InvalidArgument,
      'INVALID_FIELD',
      'No such layer.',
      '',
      fields,
    );
    memory.jobs.failNext.set('createJob', refusal);
    await user.click(form.getByTestId('make-variation'));
    expect(await form.findByText('No such layer.')).toBeInTheDocument();
    await user.keyboard('{Escape}');
    expect(track.queryByTestId('variation-form')).toBeNull();
    expect(track.getByTestId('variation')).toHaveFocus();
  });

  it('says that another version of the composer may sound different', async () => {
    const recipe = { ...sampleRecipe(), engine_version: '0.1.0' };
    const track = await openTrack({ recipe });
    await userEvent.click(track.getByTestId('variation'));
    expect(await track.findByText(/made by composer 0.1.0; this one is 1.0.0/)).toBeInTheDocument();
  });
});
