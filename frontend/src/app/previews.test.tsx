import { create } from '@bufbuild/protobuf';
import { act, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { FakeAudio } from '@/testing/fake-audio';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage, servePeaks } from '@/testing/open-page';

let memory: MemoryStudio;
let audio: FakeAudio;
let spare: FakeAudio;

const open = () =>
  openPage(memory, { audio: audio.element, spareAudio: spare.element, saveFile: () => {} });

/** Asks for a piece as another page would, and lets the work on it begin. */
async function begin(prompt = 'rain', durationSeconds = 100): Promise<string> {
  const kind = { case: 'generate' as const, value: { parameters: { prompt, durationSeconds } } };
  const spec = create(JobSpecSchema, { kind });
  await memory.jobs.service().createJob?.({ spec, requestId: '' } as never, {} as never);
  const jobId = memory.jobs.jobs.at(-1)?.jobId ?? '';
  await happen(() => memory.jobs.start(jobId));
  return jobId;
}

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

describe('a piece that is being made', () => {
  it('can be heard as soon as there is something, waits for more, and becomes the track', async () => {
    await open();
    const jobId = await begin();
    const card = within(await screen.findByTestId('job-card'));
    expect(card.queryByTestId('preview')).toBeNull();
    await happen(() => memory.jobs.preview(jobId, 10));
    expect(card.getByTestId('preview-status')).toHaveTextContent('Listen already');
    expect(screen.getByTestId('announcer')).toHaveTextContent('Track: can be heard');
    await userEvent.click(card.getByRole('button', { name: 'Play rain' }));
    expect(audio.src).toBe(`/v1/artifacts/${jobId}/1/preview-0.flac`);
    act(() => audio.runTo(4));
    expect(card.getByTestId('preview-time')).toHaveTextContent('0:04 / 1:40, 0:10 ready');
    act(() => audio.end(10));
    expect(card.getByTestId('preview-status')).toHaveTextContent('Waiting for more…');
    await happen(() => memory.jobs.preview(jobId, 10));
    expect(card.getByTestId('preview-status')).toBeEmptyDOMElement();
    expect(audio.src).toContain('preview-1');
    act(() => audio.runTo(3));

    memory.library.add({ trackId: 't1', title: 'Rainy Night' }, 100);
    await happen(() => memory.jobs.succeed(jobId, { trackIds: ['t1'] }));
    expect(await card.findByRole('button', { name: 'Pause Rainy Night' })).toBeInTheDocument();
    expect(card.getByTestId('time')).toHaveTextContent('0:13 / 1:40');
    expect(card.getByTestId('play')).toHaveFocus();
    expect(spare.src).toBe('/v1/tracks/t1/audio');
    act(() => spare.arrive());
    act(() => audio.runTo(3.7));
    expect([audio.paused, spare.paused]).toEqual([true, false]);
    act(() => spare.runTo(14));
    expect(card.getByTestId('time')).toHaveTextContent('0:14 / 1:40');
  });

  it('alarms nobody when its previews are gone, and is silent when it is cancelled', async () => {
    const { studio } = await open();
    const jobId = await begin();
    await happen(() => memory.jobs.preview(jobId, 10));
    await userEvent.click(await screen.findByTestId('preview-play'));
    act(() => audio.fail());
    expect(screen.getByTestId('preview-status')).toHaveTextContent('Waiting for more…');
    expect(screen.queryByRole('alert')).toBeNull();
    await happen(() => memory.jobs.requeue(jobId, { message: 'The engine crashed.' }));
    expect(screen.getByTestId('preview')).toBeInTheDocument();
    await happen(() => memory.jobs.fail(jobId, { message: 'No.' }));
    expect(studio.deck.state.tapeId).toBeNull();
    expect(screen.queryByTestId('preview')).toBeNull();
  });

  it('goes on when it comes to an end before the track is fetched', async () => {
    const { studio } = await open();
    const jobId = await begin();
    await happen(() => memory.jobs.preview(jobId, 10));
    await userEvent.click(await screen.findByTestId('preview-play'));
    act(() => audio.end(10));
    await happen(() => memory.jobs.succeed(jobId, { trackIds: ['gone'] }));
    await waitFor(() => expect(studio.deck.state.tapeId).toBeNull());
  });
});
