import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AudioFormat, LoopPointsSchema } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
import { Job_State, JobResultSchema, type JobSpec } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { LoopCandidate_Kind, LoopSpec_Ending } from '@/gen/musicgen/api/looper/v1/loop_pb';
import { FakeAudio } from '@/testing/fake-audio';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage, servePeaks } from '@/testing/open-page';
import { sampleLoopRecipe, sampleLoops } from '@/testing/sample-loops';

let memory: MemoryStudio;
let audio: FakeAudio;

/** Opens the page, and the loop panel of its one track. */
async function openPanel() {
  audio = new FakeAudio();
  const page = await openPage(memory, { audio: audio.element });
  await userEvent.click(await screen.findByTestId('row-open'));
  const track = within(await screen.findByTestId('track-card'));
  await userEvent.click(track.getByTestId('loop'));
  return { page, track, form: within(track.getByTestId('loop-form')) };
}

/** What was asked for last. */
function asked(): JobSpec['kind'] | undefined {
  return memory.jobs.jobs.at(-1)?.spec?.kind;
}

/** Presses "Find loops" and lets the studio find two. */
async function findLoops(form: Awaited<ReturnType<typeof openPanel>>['form']): Promise<string> {
  await userEvent.click(form.getByTestId('find-loops'));
  await waitFor(() => expect(asked()?.case).toBe('findLoops'));
  const jobId = memory.jobs.jobs.at(-1)?.jobId ?? '';
  await happen(() => memory.jobs.start(jobId));
  await happen(() => memory.jobs.succeed(jobId, sampleLoops(jobId)));
  return jobId;
}

/** Lets the track say where it loops. */
function giveOwnPoints() {
  const loopPoints = create(LoopPointsSchema, { startFrame: 44_100n, endFrame: 441_000n });
  memory.library.edit('t1', { loopPoints });
}

beforeEach(() => {
  memory = createMemoryStudio();
  memory.library.add({ trackId: 't1', title: 'Rainy Night' });
  servePeaks();
});

afterEach(() => {
  closePages();
  vi.unstubAllGlobals();
});

describe('a loop', () => {
  it('is an hour with two presses, and goes to the bench', async () => {
    const { track, form } = await openPanel();
    expect(form.getByTestId('cycle-best')).toBeInTheDocument();
    await userEvent.click(form.getByTestId('loop-start'));
    const live = within(await screen.findByTestId('job-card'));
    expect(live.getByText('Rainy Night')).toBeInTheDocument();
    expect(live.getByText('Loop, 1 h')).toBeInTheDocument();
    expect(memory.jobs.jobs[0]?.state).toBe(Job_State.QUEUED);
    expect(track.queryByTestId('loop-form')).toBeNull();
    expect(track.getByTestId('loop')).toHaveFocus();
  });

  it('shows what is wrong with the length at its field', async () => {
    const { track, form } = await openPanel();
    await userEvent.click(form.getByTestId('loop-minutes'));
    await userEvent.type(form.getByTestId('loop-minutes-field'), 'long');
    await userEvent.click(form.getByTestId('loop-start'));
    expect(await form.findByTestId('field-error')).toHaveTextContent('not a number');
    await userEvent.clear(form.getByTestId('loop-minutes-field'));
    expect(form.queryByTestId('field-error')).toBeNull();
    await userEvent.type(form.getByTestId('loop-minutes-field'), '0.5{Enter}');
    expect(await form.findByTestId('field-error')).toHaveTextContent('60 to 36,000');
    await userEvent.click(form.getByTestId('loop-36000'));
    expect(form.queryByTestId('field-error')).toBeNull();
    await userEvent.click(form.getByTestId('loop-start'));
    await waitFor(() => expect(track.queryByTestId('loop-form')).toBeNull());
    expect(screen.getByText('Loop, 10 h')).toBeInTheDocument();
  });

  it('is played so often, fades out, and takes the format that is chosen', async () => {
    const { form } = await openPanel();
    const user = userEvent.setup();
    await user.click(form.getByTestId('loop-cycles'));
    await user.type(form.getByTestId('loop-cycles-field'), '12');
    await user.selectOptions(form.getByTestId('loop-ending'), 'Fades out');
    await user.clear(form.getByTestId('loop-fade'));
    await user.type(form.getByTestId('loop-fade'), '8');
    await user.click(form.getByTestId('loop-skip-intro'));
    await user.selectOptions(form.getByTestId('loop-format'), 'Opus, smallest');
    await user.click(form.getByTestId('loop-start'));
    expect(await screen.findByText('Loop, played 12 times')).toBeInTheDocument();
    expect(asked()).toMatchObject({
      case: 'loop',
      value: {
        extent: { case: 'cycles', value: 12 },
        ending: LoopSpec_Ending.FADE,
        fadeSeconds: 8,
        skipIntro: true,
        format: AudioFormat.OPUS,
      },
    });
  });

  it('lasts until a time of day', async () => {
    const { form } = await openPanel();
    await userEvent.click(form.getByTestId('loop-until'));
    const end = new Date(Date.now() + 2 * 3_600_000);
    const two = (number: number) => String(number).padStart(2, '0');
    const time = `${two(end.getHours())}:${two(end.getMinutes())}`;
    fireEvent.change(form.getByTestId('loop-until-field'), { target: { value: time } });
    expect(form.getByTestId('loop-length')).toHaveTextContent(/from now$/);
    await userEvent.click(form.getByTestId('loop-start'));
    await waitFor(() => expect(asked()?.case).toBe('loop'));
    const kind = asked();
    const seconds = kind?.case === 'loop' ? Number(kind.value.extent.value) : 0;
    expect(seconds).toBeGreaterThan(2 * 3_600 - 65);
    expect(seconds).toBeLessThanOrEqual(2 * 3_600);
  });

  it('is of points typed by hand, with what is wrong at each', async () => {
    const { form } = await openPanel();
    await userEvent.click(form.getByRole('radio', { name: 'Points by hand' }));
    await userEvent.type(form.getByTestId('loop-start-field'), '0:04.5');
    await userEvent.click(form.getByTestId('loop-start'));
    expect(await form.findByTestId('field-error')).toHaveTextContent('The end is no place');
    await userEvent.type(form.getByTestId('loop-end-field'), '44100');
    await userEvent.click(form.getByTestId('loop-start'));
    expect(await form.findByTestId('field-error')).toHaveTextContent('start_frame < end_frame');
    await userEvent.type(form.getByTestId('loop-end-field'), '0');
    await userEvent.click(form.getByTestId('loop-snap'));
    await userEvent.click(form.getByTestId('loop-start'));
    await waitFor(() => expect(asked()?.case).toBe('loop'));
    expect(asked()).toMatchObject({
      value: { points: { startFrame: 198_450n, endFrame: 441_000n }, snapPoints: false },
    });
  });

  it('is of the track’s own points if it has some', async () => {
    giveOwnPoints();
    const { form } = await openPanel();
    const own = within(form.getByTestId('cycle-own'));
    expect(own.getByRole('radio')).toBeChecked();
    expect(own.getByText('0:01.000 – 0:10.000, 9 s')).toBeInTheDocument();
    await userEvent.click(form.getByTestId('loop-start'));
    await waitFor(() => expect(asked()?.case).toBe('loop'));
    expect(asked()).toMatchObject({ value: { points: { startFrame: 44_100n } } });
  });

  it('says what has no field of its own below them', async () => {
    const { form } = await openPanel();
    const refusal = studioError(Code.ResourceExhausted, 'DISK_FULL', 'The disk is full.', 'Tidy.');
    memory.jobs.failNext.set('createJob', refusal);
    await userEvent.click(form.getByTestId('loop-start'));
    expect(await form.findByTestId('error-message')).toHaveTextContent('The disk is full.');
    await userEvent.keyboard('{Escape}');
    expect(screen.queryByTestId('loop-form')).toBeNull();
  });
});

describe('a search for loops', () => {
  it('is followed live, lists what was found, and one is chosen', async () => {
    const { form } = await openPanel();
    await userEvent.click(form.getByTestId('find-loops'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const jobId = memory.jobs.jobs[0]?.jobId ?? '';
    expect(form.getByTestId('search-status')).toHaveTextContent('Waits for a worker');
    await happen(() => memory.jobs.start(jobId));
    await happen(() => memory.jobs.progress(jobId, { stage: 'analysing', fraction: 0.4 }));
    expect(form.getByTestId('search-status')).toHaveTextContent('Analysing…');
    expect(form.getByRole('progressbar')).toHaveAttribute('aria-valuenow', '40');
    expect(screen.queryByTestId('job-card')).toBeNull();

    await happen(() => memory.jobs.succeed(jobId, sampleLoops(jobId)));
    expect(form.getByTestId('search-status')).toHaveTextContent('2 loops found, best first');
    const [best, second] = form.getAllByTestId('cycle-found');
    expect(best).toHaveTextContent('Seamless 0.97');
    expect(best).toHaveTextContent('0:04.000 – 1:08.000');
    expect(best).toHaveTextContent('1 min 4 s, 32 bars');
    expect(second).toHaveTextContent('32 s, 64 beats, skips music, up to 14 ms off the beat');
    expect(within(best as HTMLElement).getByRole('radio')).toBeChecked();
    expect(form.queryByTestId('cycle-best')).toBeNull();
    expect(form.getByTestId('points-txt')).toHaveTextContent('Audacity labels');
    expect(form.getByTestId('points-cue')).toHaveAttribute('href', expect.stringMatching(/\.cue/));

    await userEvent.click(within(second as HTMLElement).getByRole('radio'));
    await userEvent.click(form.getByTestId('loop-cycles'));
    await userEvent.type(form.getByTestId('loop-cycles-field'), '10');
    expect(form.getByTestId('loop-length')).toHaveTextContent('about 5 min 20 s');
    await userEvent.click(form.getByTestId('loop-start'));
    await waitFor(() => expect(asked()?.case).toBe('loop'));
    expect(asked()).toMatchObject({
      value: { points: { startFrame: 176_400n, endFrame: 1_587_600n }, snapPoints: false },
    });
  });

  it('adds the seam to the track’s own points, and lists only the others', async () => {
    giveOwnPoints();
    const { form } = await openPanel();
    await userEvent.click(form.getByTestId('find-loops'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const jobId = memory.jobs.jobs[0]?.jobId ?? '';
    const result = create(JobResultSchema, sampleLoops(jobId));
    result.analysis?.candidates.splice(1);
    for (const one of result.analysis?.candidates ?? []) one.kind = LoopCandidate_Kind.OWN;
    await happen(() => memory.jobs.start(jobId));
    await happen(() => memory.jobs.succeed(jobId, result));
    expect(form.getByTestId('search-status')).toHaveTextContent('No other loop found');
    expect(form.queryByTestId('cycle-found')).toBeNull();
    expect(within(form.getByTestId('cycle-own')).getByTestId('seam-play')).toBeInTheDocument();
  });

  it('plays a seam, and stops what else is on', async () => {
    const { track, form, page } = await openPanel();
    await userEvent.click(track.getByTestId('play'));
    expect(page.studio.deck.state).toMatchObject({ tapeId: 't1', playing: true });
    const jobId = await findLoops(form);
    const [first] = form.getAllByTestId('seam-play');
    await userEvent.click(first as HTMLElement);
    expect(audio.src).toBe(`/v1/artifacts/${jobId}/1/seam-1.flac`);
    expect(page.studio.deck.state).toMatchObject({ tapeId: `seam-${jobId}-loop 1`, playing: true });
    expect(first).toHaveAccessibleName('Pause the seam of loop 1');
  });

  it('is still there when the panel is opened again, and can be repeated', async () => {
    const { track, form } = await openPanel();
    await findLoops(form);
    await userEvent.click(form.getByRole('button', { name: 'Close' }));
    await userEvent.click(track.getByTestId('loop'));
    expect(track.getAllByTestId('cycle-found')).toHaveLength(2);
    await userEvent.click(track.getByTestId('find-loops'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(2));
  });

  it('can be cancelled', async () => {
    const { form } = await openPanel();
    await userEvent.click(form.getByTestId('find-loops'));
    await userEvent.click(await form.findByRole('button', { name: 'Cancel' }));
    await waitFor(() => expect(memory.jobs.jobs[0]?.state).toBe(Job_State.CANCELLED));
    expect(form.getByTestId('find-loops')).toHaveTextContent(/^Find loops$/);
    expect(form.getByTestId('cycle-best')).toBeInTheDocument();
  });

  it('in vain tells the nearest miss, which can be used all the same', async () => {
    const { form } = await openPanel();
    await userEvent.click(form.getByTestId('find-loops'));
    await waitFor(() => expect(memory.jobs.jobs).toHaveLength(1));
    const jobId = memory.jobs.jobs[0]?.jobId ?? '';
    await happen(() =>
      memory.jobs.fail(jobId, {
        reason: ErrorReason.NO_LOOP_FOUND,
        message: 'No cycle repeats well enough: the best scores 0.61 of 0.80 needed.',
        remedy: 'Give the loop points yourself.',
        metadata: { best: '0.61', best_start_frame: '44100', best_end_frame: '485100' },
      }),
    );
    expect(form.getByTestId('error-message')).toHaveTextContent('0.61 of 0.80');
    await userEvent.click(form.getByTestId('use-near-miss'));
    expect(form.getByTestId('loop-start-field')).toHaveValue('0:01.000');
    expect(form.getByTestId('loop-end-field')).toHaveValue('0:11.000');
    expect(form.getByTestId('loop-snap')).toBeChecked();
  });
});

describe('the seam of a loop', () => {
  it('is told at the track, with its figures and faults', async () => {
    const recipe = sampleLoopRecipe({ clean: false, faults: ['The beat stumbles by 31 ms.'] });
    memory.library.edit('t1', { recipe });
    await openPage(memory);
    await userEvent.click(await screen.findByTestId('row-open'));
    const seam = within(await screen.findByTestId('seam'));
    expect(seam.getByTestId('seam-verdict')).toHaveTextContent('may be heard');
    expect(seam.getByText(/a crossfade of 12 ms/)).toBeInTheDocument();
    expect(seam.getByTestId('seam-faults')).toHaveTextContent('The beat stumbles by 31 ms.');
    expect(seam.getByText('1.3 ms')).toBeInTheDocument();
    expect(seam.getByText('above 61%')).toBeInTheDocument();
  });
});
