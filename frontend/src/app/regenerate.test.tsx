import { Code } from '@connectrpc/connect';
import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GenerateSpec } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { FakeAudio } from '@/testing/fake-audio';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, openPage, servePeaks } from '@/testing/open-page';
import { READY_ENVIRONMENT, sampleSinger, sampleSongRecipe } from '@/testing/sample-singer';

let memory: MemoryStudio;
let audio: FakeAudio;

/** Opens the one track, and below it what makes parts of it anew. */
async function openPanel() {
  const page = await openPage(memory, { audio: audio.element });
  await userEvent.click(await screen.findByTestId('row-open'));
  const track = within(await screen.findByTestId('track-card'));
  await userEvent.click(await track.findByRole('button', { name: 'Regenerate a part' }));
  const form = within(track.getByRole('form', { name: 'Regenerate parts of Rainy Night' }));
  return { page, track, form, user: userEvent.setup() };
}

function asked(): GenerateSpec {
  const kind = memory.jobs.jobs.at(-1)?.spec?.kind;
  if (kind?.case !== 'generate') throw new Error('nothing to generate');
  return kind.value;
}

beforeEach(() => {
  memory = createMemoryStudio();
  audio = new FakeAudio();
  servePeaks();
  memory.engines.put(sampleSinger(READY_ENVIRONMENT));
  memory.library.add({ trackId: 't1', title: 'Rainy Night', recipe: sampleSongRecipe() }, 95);
});

afterEach(() => {
  closePages();
  vi.unstubAllGlobals();
});

describe('a part of a track', () => {
  it('is made anew with the words and options of the whole, and goes to the bench', async () => {
    const { track, form, user } = await openPanel();
    expect(form.getByRole('textbox', { name: 'Lyrics of the whole track' })).toHaveValue(
      '[00:10.00]Rain on the window\n[00:14.50]All through the night\n',
    );
    expect(form.getByRole('textbox', { name: 'Prompt' })).toHaveValue(sampleSongRecipe().prompt);
    expect(form.getByRole('textbox', { name: 'Seed' })).toHaveValue('');
    expect(form.queryByText(/^Style: from music/)).toBeNull();
    expect(form.getByText(/^Mark what/)).toHaveTextContent(
      'Outside the marked parts and a tenth of a second to their sides everything stays as it is.',
    );
    await user.type(form.getByRole('textbox', { name: 'From' }), '0:42.5');
    await user.type(form.getByRole('textbox', { name: 'To' }), '58');
    await user.type(form.getByTestId('regenerate-seed'), '5');
    await user.click(form.getByRole('button', { name: 'Regenerate this part' }));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    expect(asked()).toMatchObject({
      engine: 'diffrhythm',
      parentTrackId: 't1',
      edit: {
        source: { source: { case: 'trackId', value: 't1' } },
        regenerate: [{ startSeconds: 42.5, endSeconds: 58 }],
      },
      parameters: {
        prompt: sampleSongRecipe().prompt,
        lyrics: sampleSongRecipe().decisions.lyrics,
        durationSeconds: 95,
        seed: 5,
        options: { steps: 24 },
      },
    });
    expect(asked().styleAudio).toBeUndefined();
    expect(track.queryByTestId('regenerate-form')).toBeNull();
    expect(track.getByTestId('regenerate')).toHaveFocus();
    const card = within(await screen.findByTestId('job-card'));
    expect(card.getByText('diffrhythm, 1 min 35 s, seed 5, one part anew')).toBeInTheDocument();
    expect(card.getByTestId('job-lineage')).toHaveTextContent('Variation of Rainy Night');
  });

  it('keeps the music that the style was taken from, until there is another prompt', async () => {
    memory.library.edit('t1', {
      recipe: { ...sampleSongRecipe(), style_audio: { reference: { upload_id: 'u1' }, title: '' } },
    });
    const { track, form, user } = await openPanel();
    const prompt = form.getByRole('textbox', { name: 'Prompt' });
    expect(prompt).toHaveAccessibleDescription('Style: from music; another prompt replaces it');
    await user.type(form.getByTestId('part-start'), '10');
    await user.type(form.getByTestId('part-end'), '20');
    await user.click(form.getByTestId('regenerate-start'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    expect(asked().styleAudio?.source).toEqual({ case: 'uploadId', value: 'u1' });

    await user.click(track.getByTestId('regenerate'));
    const again = within(track.getByTestId('regenerate-form'));
    await user.type(again.getByTestId('regenerate-prompt'), ', slower');
    expect(again.queryByTestId('regenerate-prompt-note')).toBeNull();
    expect(again.getByTestId('regenerate-prompt')).not.toHaveAttribute('aria-describedby');
    await user.type(again.getByTestId('part-start'), '10');
    await user.type(again.getByTestId('part-end'), '20');
    await user.click(again.getByTestId('regenerate-start'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(2));
    expect(asked().parameters?.prompt).toBe(`${sampleSongRecipe().prompt}, slower`);
    expect(asked().styleAudio).toBeUndefined();
  });

  it('is taken from where the player stands', async () => {
    const { page, form, user } = await openPanel();
    await user.click(form.getByRole('button', { name: 'Part 1 to here' }));
    expect(form.getByTestId('part-end')).toHaveValue('1:35.000');
    await user.click(screen.getByTestId('play'));
    act(() => audio.runTo(12.25));
    await user.click(form.getByRole('button', { name: 'Part 1 from here' }));
    expect(form.getByTestId('part-start')).toHaveValue('0:12.250');
    act(() => audio.runTo(20));
    await user.click(form.getByRole('button', { name: 'Part 1 to here' }));
    expect(form.getByTestId('part-end')).toHaveValue('0:20.000');
    await user.click(form.getByRole('button', { name: 'Play from the start of part 1' }));
    expect(page.studio.deck.state.positionSeconds).toBeCloseTo(12.25);
  });

  it('is marked in the picture', async () => {
    const { form } = await openPanel();
    const wave = await form.findByTestId('cycle-wave');
    const box = wave.firstElementChild as HTMLElement;
    box.getBoundingClientRect = () => new DOMRect(0, 0, 190, 32);
    wave.setPointerCapture = () => {};
    wave.hasPointerCapture = () => true;
    fireEvent.pointerDown(wave, { clientX: 100, pointerId: 1 });
    fireEvent.pointerMove(wave, { clientX: 100.1, pointerId: 1 });
    expect(form.getByTestId('part-start')).toHaveValue('');
    fireEvent.pointerMove(wave, { clientX: 60, pointerId: 1 });
    expect(form.getByTestId('part-start')).toHaveValue('0:30.000');
    expect(form.getByTestId('part-end')).toHaveValue('0:50.000');
  });

  it('may be one of several, sent in order, and none may lie in another', async () => {
    const { form, user } = await openPanel();
    await user.type(form.getByTestId('part-start'), '50');
    await user.type(form.getByTestId('part-end'), '60');
    await user.click(form.getByRole('button', { name: 'Add a part' }));
    const [, second] = form.getAllByRole('group', { name: /^Part/ });
    const other = within(second as HTMLElement);
    await user.type(other.getByTestId('part-start'), '40');
    await user.type(other.getByTestId('part-end'), '55');
    await user.click(form.getByRole('button', { name: 'Regenerate 2 parts' }));
    expect(await form.findByTestId('field-error')).toHaveTextContent('inside the part before it');
    expect(form.getAllByTestId('part-start')[0]).toHaveFocus();
    await user.clear(other.getByTestId('part-end'));
    await user.type(other.getByTestId('part-end'), '50');
    expect(form.queryByTestId('field-error')).toBeNull();
    await user.click(form.getByTestId('regenerate-start'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    expect(asked().edit?.regenerate).toMatchObject([
      { startSeconds: 40, endSeconds: 50 },
      { startSeconds: 50, endSeconds: 60 },
    ]);
  });

  it('says what is wrong with its times, here or in the studio', async () => {
    const { form, user } = await openPanel();
    await user.type(form.getByTestId('regenerate-seed'), 'x');
    await user.click(form.getByTestId('regenerate-start'));
    const said = form.getAllByTestId('field-error').map((one) => one.textContent);
    expect(said).toEqual([
      'Write a time such as 0:42.5.',
      'Write a time such as 0:58.',
      'The seed is not a whole number in range.',
    ]);
    await user.clear(form.getByTestId('regenerate-seed'));
    await user.type(form.getByTestId('part-start'), '10');
    await user.type(form.getByTestId('part-end'), '20');
    const fields = { 'spec.generate.edit.regenerate[0]': 'must end within the piece' };
    const refusal = studioError(Code.InvalidArgument, 'INVALID_FIELD', 'No.', '', fields);
    memory.jobs.failNext.set('createJob', refusal);
    await user.click(form.getByTestId('regenerate-start'));
    expect(await form.findByTestId('field-error')).toHaveTextContent('It must end within');
    await user.click(form.getByRole('button', { name: 'Add a part' }));
    expect(form.getAllByTestId('part-start')[1]).toHaveFocus();
    await user.click(form.getByRole('button', { name: 'Remove part 2' }));
    expect(form.getAllByTestId('part')).toHaveLength(1);
    expect(form.getByTestId('part-start')).toHaveFocus();
    await user.keyboard('{Escape}');
    expect(screen.queryByTestId('regenerate-form')).toBeNull();
  });

  it('is not offered for tracks of engines that can’t', async () => {
    const singer = sampleSinger(READY_ENVIRONMENT);
    if (singer.manifest !== undefined) singer.manifest.supportsEdit = false;
    memory.engines.put(singer);
    await openPage(memory);
    await userEvent.click(await screen.findByTestId('row-open'));
    const track = within(await screen.findByTestId('track-card'));
    expect(track.getByTestId('loop')).toBeInTheDocument();
    expect(track.queryByTestId('regenerate')).toBeNull();
  });
});

describe('how a track was made', () => {
  it('is told: the model, on what, and how it made do with memory', async () => {
    await openPage(memory);
    await userEvent.click(await screen.findByTestId('row-open'));
    expect(await screen.findByTestId('made-facts')).toHaveTextContent(
      'Model diffrhythm-1.2-base on cuda, half precision (float16); made with the weights outside the card to save its memory',
    );
  });
});
