import type { JsonObject } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { act, fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
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

describe('the plan of a track', () => {
  it('is shown: what was understood, the sections, and the decisions', async () => {
    const track = await openTrack();
    await userEvent.click(track.getByTestId('plan'));
    const panel = within(track.getByTestId('plan-panel'));
    expect(panel.getByTestId('understood')).toHaveTextContent('82 bpmlofiwarmrain');
    expect(panel.getByTestId('ignored')).toHaveTextContent('unicorns');
    expect(panel.getByTestId('corrected')).toHaveTextContent('“rany” as rainy');
    expect(panel.getByText('A dorian')).toBeInTheDocument();
    expect(panel.getByText('Electric guitar')).toBeInTheDocument();
    const sections = panel.getAllByTestId('plan-section');
    expect(sections).toHaveLength(5);
    expect(sections[2]).toHaveAccessibleName(
      'Chorus, 8 bars, energy 73 %, playing: drums, bass, chords, pad, melody',
    );
    await userEvent.click(sections[0] as HTMLElement);
    expect(panel.getByTestId('section-details')).toHaveTextContent(
      'Introbars 1–4 (4 bars), 0:00–0:11, energy 40 %Chords, Pad; Drums, Bass from the middle on',
    );
    fireEvent.keyDown(sections[0] as HTMLElement, { key: 'ArrowRight' });
    expect(sections[1]).toHaveFocus();
    expect(sections[1]).toHaveAttribute('aria-pressed', 'true');
    await userEvent.click(panel.getByTestId('play-from'));
    expect(audio.currentTime).toBeCloseTo((4 * 4 * 60) / 82, 3);
    expect(panel.getByTestId('tape-needle')).toBeInTheDocument();
    await userEvent.click(panel.getByRole('button', { name: 'Close' }));
    expect(track.getByTestId('plan')).toHaveFocus();
  });

  it('is not offered where there is none', async () => {
    memory.library.add({ trackId: 'loop', title: 'Loop', recipe: { kind: 'loop' } });
    const decisions = { understood: { moods: ['calm'] }, ignored: [], plan: 3 };
    const half = await openTrack({ recipe: { engine: 'composer', seed: 1, decisions } });
    expect(half.queryByTestId('variation')).toBeNull();
    await userEvent.click(half.getByTestId('plan'));
    expect(half.getByTestId('understood')).toHaveTextContent('calm');
    expect(half.queryByTestId('edit-plan')).toBeNull();
    const rows = screen.getAllByTestId('row-open');
    await userEvent.click(rows[0] as HTMLElement);
    await userEvent.click(rows[1] as HTMLElement);
    const other = within(await screen.findByTestId('track-card'));
    expect(other.queryByTestId('plan')).toBeNull();
  });

  it('is copied and downloaded for those who script', async () => {
    const track = await openTrack();
    await userEvent.click(track.getByTestId('plan'));
    const user = userEvent.setup();
    await user.click(track.getByTestId('copy-plan'));
    expect(await track.findByText('Copied.')).toBeInTheDocument();
    const told = JSON.parse(await navigator.clipboard.readText()) as JsonObject;
    expect(told).toMatchObject({ seed: 7, plan: { tempo_bpm: 82, bars: 29 } });
    await user.click(track.getByTestId('download-plan'));
  });

  it('is edited, and another track is made of it', async () => {
    const track = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('plan'));
    await user.click(track.getByTestId('edit-plan'));
    const form = within(track.getByTestId('plan-editor'));
    expect(form.getByTestId('plan-length')).toHaveTextContent('1 min 30 s 29 bars');
    await user.clear(form.getByTestId('plan-tempo'));
    await user.type(form.getByTestId('plan-tempo'), '96');
    expect(form.getByTestId('plan-length')).toHaveTextContent('1 min 18 s 29 bars, then 5.1 s');
    await user.selectOptions(form.getByTestId('plan-tonic'), 'D');
    await user.selectOptions(form.getByTestId('plan-mode'), 'minor');
    expect(form.getByTestId('chord-A-0')).toHaveDisplayValue('1 · Dm9');
    await user.selectOptions(form.getByTestId('chord-A-1'), '6');
    await user.selectOptions(form.getByTestId('plan-texture'), 'Vinyl');
    await user.selectOptions(form.getByTestId('instrument-lead'), 'Flute');
    await user.selectOptions(form.getByTestId('pattern-drums'), 'Dusty');
    await user.click(form.getByTestId('remove-pad'));
    await user.click(form.getByTestId('add-arp'));
    fireEvent.change(form.getByTestId('plan-swing'), { target: { value: '0.3' } });

    await user.click(form.getAllByTestId('plan-section')[2] as HTMLElement);
    await user.click(form.getByTestId('section-duplicate'));
    expect(form.getAllByTestId('plan-section')).toHaveLength(6);
    expect(form.getByTestId('section-form')).toHaveTextContent('Chorus 2 section 4 of 6');
    await user.clear(form.getByTestId('section-bars'));
    await user.type(form.getByTestId('section-bars'), '4');
    fireEvent.change(form.getByTestId('section-energy'), { target: { value: '0.9' } });
    await user.click(form.getByRole('button', { name: 'Drums' }));
    await user.click(form.getByRole('button', { name: 'Bass only from the middle on' }));
    await user.click(form.getByTestId('section-later'));
    await user.click(form.getByRole('button', { name: 'Melody, Intro: rests' }));
    await user.click(form.getByTestId('section-remove'));
    await user.click(form.getByTestId('make-version'));

    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    expect(asked()).toMatchObject({ engine: 'composer', parentTrackId: 't1' });
    expect(asked().parameters).toMatchObject({ seed: 7, prompt: sampleRecipe().prompt });
    expect(planAsked()).toMatchObject({
      title: 'Rainy Night',
      tempo_bpm: 96,
      key: 'D minor',
      texture: 'vinyl',
      swing: 0.3,
      ring_frames: 225_878,
      parts: { lead: 'flute', arp: 'piano' },
      styles: { groove: 'dusty', arp: 'up' },
      words: 'b4f7259dd5cbf2a6',
    });
    expect((planAsked().parts as JsonObject).pad).toBeUndefined();
    const sections = planAsked().sections as JsonObject[];
    expect(sections.map(({ kind, bars }) => [kind, bars])).toEqual([
      ['A', 8],
      ['B', 8],
      ['A', 4],
      ['B', 4],
      ['outro', 5],
    ]);
    expect(sections[3]).toMatchObject({
      start_bar: 20,
      energy: 0.9,
      parts: ['bass', 'chords', 'arp', 'lead'],
      late: ['bass'],
    });
    expect(form.getByTestId('made')).toHaveTextContent('It is being made.');
    const card = within(await screen.findByTestId('job-card'));
    expect(card.getByTestId('job-lineage')).toHaveTextContent('Variation of Rainy Night');
    await user.click(form.getByTestId('show-made'));
    expect(card.getByTestId('cancel')).toHaveFocus();
    await user.click(form.getByTestId('plan-reset'));
    expect(form.getByTestId('plan-tempo')).toHaveValue('82');
    await user.click(form.getByTestId('plan-stop'));
    expect(track.getByTestId('edit-plan')).toHaveFocus();
  });

  it('shows what is wrong at its field, whether it is refused or fails later', async () => {
    const track = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('plan'));
    await user.click(track.getByTestId('edit-plan'));
    const form = within(track.getByTestId('plan-editor'));
    await user.clear(form.getByTestId('plan-tempo'));
    await user.click(form.getByTestId('make-version'));
    expect(form.getByTestId('field-error')).toHaveTextContent('Write a number.');
    expect(form.getByTestId('plan-tempo')).toHaveFocus();
    expect(memory.jobs.jobs).toHaveLength(0);
    await user.type(form.getByTestId('plan-tempo'), '500');
    expect(form.queryByTestId('field-error')).toBeNull();

    await user.click(form.getByTestId('make-version'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const jobId = memory.jobs.jobs[0]?.jobId ?? '';
    await happen(() =>
      memory.jobs.fail(jobId, {
        reason: ErrorReason.INVALID_FIELD,
        message: 'The plan can’t be used.',
        remedy: 'Correct the fields named.',
        metadata: {
          'field:options.plan.tempo_bpm': 'Must lie between 40 and 220.',
          'field:options.plan.sections[2].bars': 'Must lie between 1 and 1000.',
        },
      }),
    );
    expect(form.getByTestId('plan-tempo')).toHaveAttribute('aria-invalid', 'true');
    expect(form.getByText('Must lie between 40 and 220.')).toBeInTheDocument();
    expect(form.getAllByTestId('plan-section')[2]).toHaveAttribute('data-faulty', 'true');
    expect(form.getByText('Must lie between 1 and 1000.')).toBeInTheDocument();
    expect(form.getByTestId('section-bars')).toHaveFocus();
    expect(screen.getByTestId('job-faults')).toHaveTextContent('options.plan.tempo_bpm');
    await user.clear(form.getByTestId('plan-tempo'));
    await user.type(form.getByTestId('plan-tempo'), '100');
    expect(form.queryByText('Must lie between 40 and 220.')).toBeNull();

    const at = 'spec.generate.parameters.options.plan';
    const invalid = {
      [`${at}.tempo_bpm`]: 'is not valid: 500 is greater than the maximum of 220',
      [`${at}.sections[3].bars`]: 'is not valid: 0 is less than the minimum of 1',
      [`${at}.styles.groove`]: "is not valid: 'samba' is not one of ['dusty']",
      [`${at}.sections[1].rest_beats`]: 'is not valid: 99 is greater than the maximum of 64',
    };
    memory.jobs.failNext.set(
      'createJob',
      studioError(Code.InvalidArgument, 'INVALID_FIELD', 'The plan is odd.', '', invalid),
    );
    await user.click(form.getByTestId('make-version'));
    expect(await form.findByText('It must be at most 220.')).toBeInTheDocument();
    expect(form.getByText('It must be at least 1.')).toBeInTheDocument();
    expect(form.getByText('It can’t be “samba”: choose another.')).toBeInTheDocument();
    expect(form.getAllByTestId('plan-section')[3]).toHaveAttribute('data-faulty', 'true');
    expect(form.getByTestId('remedy')).toHaveTextContent(
      'sections[1].rest_beats: It must be at most 64.',
    );

    const fields = {
      'spec.generate.parameters.duration_seconds': 'is 700; composer makes 5 to 600 s',
      'spec.generate.parameters.prompt': 'is empty',
    };
    const refusal = studioError(Code.InvalidArgument, 'INVALID_FIELD', 'No.', '', fields);
    memory.jobs.failNext.set('createJob', refusal);
    await user.click(form.getByTestId('make-version'));
    expect(await form.findByText('It is 700; composer makes 5 to 600 s.')).toBeInTheDocument();
    expect(form.getByTestId('remedy')).toHaveTextContent('prompt: It is empty.');

    const full = studioError(Code.ResourceExhausted, 'QUEUE_FULL', 'Too much work.', 'Wait.');
    memory.jobs.failNext.set('createJob', full);
    await user.click(form.getByTestId('make-version'));
    expect(await form.findByText('Too much work.')).toBeInTheDocument();
  });

  it('knows no swing in an uneven metre, and says when it gets too long', async () => {
    const track = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('plan'));
    await user.click(track.getByTestId('edit-plan'));
    let form = within(track.getByTestId('plan-editor'));
    await user.selectOptions(form.getByTestId('plan-metre'), '7/8');
    expect(form.getByTestId('plan-swing')).toBeDisabled();
    expect(form.getByText('none in 7/8')).toBeInTheDocument();
    await user.selectOptions(form.getByTestId('plan-metre'), '4/4');
    expect(form.getByTestId('plan-swing')).toHaveAttribute('aria-valuetext', '23 %');
    await user.clear(form.getByTestId('section-bars'));
    await user.type(form.getByTestId('section-bars'), '400');
    expect(form.getByTestId('plan-length')).toHaveTextContent('The composer makes 5 s to 10 min.');
    await user.click(form.getByTestId('plan-stop'));
    await user.click(track.getByRole('button', { name: 'Close' }));
    await user.click(track.getByTestId('plan'));
    expect(track.getByTestId('edit-plan')).toHaveTextContent('Go on editing');
    await user.click(track.getByTestId('edit-plan'));
    form = within(track.getByTestId('plan-editor'));
    expect(form.getByTestId('section-bars')).toHaveValue('400');
    fireEvent.change(form.getByTestId('plan-energy'), { target: { value: '1' } });
    fireEvent.change(form.getByTestId('plan-energy'), { target: { value: '0.3' } });
    await user.clear(form.getByTestId('section-bars'));
    await user.type(form.getByTestId('section-bars'), '4');
    await user.click(form.getByTestId('plan-reset'));
    expect(form.getByTestId('plan-reset')).toHaveAttribute('aria-disabled', 'true');
  });
});

describe('the edits of a plan that were begun', () => {
  /** Edits the tempo, and closes the form. */
  async function begun() {
    const { studio } = await open();
    const user = userEvent.setup();
    await user.click((await screen.findAllByTestId('row-open'))[0] as HTMLElement);
    const track = within(await screen.findByTestId('track-card'));
    await user.click(track.getByTestId('plan'));
    await user.click(track.getByTestId('edit-plan'));
    await user.clear(track.getByTestId('plan-tempo'));
    await user.type(track.getByTestId('plan-tempo'), '99');
    await user.click(track.getByTestId('plan-stop'));
    return { studio, user, track };
  }

  beforeEach(() => {
    memory.library.add({ trackId: 't1', title: 'Rainy Night', recipe: sampleRecipe() });
  });

  it('outlast another look at the library, and another title', async () => {
    const { studio, user, track } = await begun();
    memory.library.edit('t1', { title: 'Wet Streets' });
    await act(() => studio.tracks.search(''));
    expect(track.getByTestId('edit-plan')).toHaveTextContent('Go on editing');
    await user.click(track.getByTestId('edit-plan'));
    expect(track.getByTestId('plan-tempo')).toHaveValue('99');
    expect(track.getByTestId('plan-title')).toHaveValue('Wet Streets');
    await user.clear(track.getByTestId('plan-title'));
    await user.type(track.getByTestId('plan-title'), 'Mine');
    await user.click(track.getByTestId('plan-stop'));
    memory.library.edit('t1', { title: 'Other' });
    await act(() => studio.tracks.search(''));
    await user.click(track.getByTestId('edit-plan'));
    expect(track.getByTestId('plan-title')).toHaveValue('Mine');
  });

  it('go with their track', async () => {
    const { studio } = await begun();
    expect(studio.drafts.has('t1')).toBe(true);
    await act(async () => studio.tracks.drop('t1'));
    expect(studio.drafts.has('t1')).toBe(false);
  });
});

describe('the editor of a plan', () => {
  it('offers what the studio’s composer can take', async () => {
    const track = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('plan'));
    await user.click(track.getByTestId('edit-plan'));
    const offered = (testId: string) =>
      [...(track.getByTestId(testId) as HTMLSelectElement).options].map(({ value }) => value);
    await waitFor(() => expect(offered('instrument-drums')).toEqual(['jazz', 'lofi', 'pop']));
    expect(offered('pattern-drums')).toEqual(['boombap', 'dusty', 'one_drop', 'pop']);
    expect(offered('pattern-chords')).toEqual(['block', 'montuno', 'rolled']);
    expect(offered('section-kind')).toEqual(['intro', 'A', 'B', 'C', 'break', 'outro']);
    expect(offered('plan-texture')).toEqual(['', 'rain', 'vinyl']);
    expect(track.getByText('40–220 bpm')).toBeInTheDocument();
    expect(track.getByTestId('plan-swing')).toHaveAttribute('max', '0.6');
  });

  it('offers only what a piece has where the composer tells no more', async () => {
    memory.engines.tellsPlan = false;
    const track = await openTrack();
    const user = userEvent.setup();
    await user.click(track.getByTestId('plan'));
    await user.click(track.getByTestId('edit-plan'));
    const offered = (testId: string) =>
      [...(track.getByTestId(testId) as HTMLSelectElement).options].map(({ value }) => value);
    expect(offered('instrument-drums')).toEqual(['lofi']);
    expect(offered('pattern-drums')).toEqual(['boombap']);
    expect(offered('section-kind')).toEqual(['intro']);
    expect(track.queryByTestId('add-arp')).toBeNull();
    await user.click(track.getByTestId('remove-pad'));
    await user.click(track.getByTestId('add-pad'));
    expect(offered('instrument-pad')).toEqual(['warm_pad']);
  });
});
