import { Code } from '@connectrpc/connect';
import { screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ErrorReason } from '@/gen/musicgen/api/errors/v1/error_reason_pb';
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

describe('a job', () => {
  it('can be cancelled and made after all', async () => {
    await openPage();
    const jobId = await make('rain');
    await happen(() => memory.jobs.start(jobId));
    const live = await card();
    await userEvent.click(live.getByTestId('cancel'));
    await waitFor(() => expect(live.getByTestId('job-stage')).toHaveTextContent('Stopping'));
    expect(live.getByTestId('cancel')).toHaveAttribute('aria-disabled', 'true');
    await happen(() => memory.jobs.cancelled(jobId));
    expect(live.getByTestId('job-state')).toHaveTextContent('Cancelled');
    expect(live.queryByTestId('attempts')).toBeNull(); // to be cancelled is no setback
    await userEvent.click(live.getByTestId('retry'));
    await waitFor(() => expect(screen.getAllByTestId('job-card')).toHaveLength(2));
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
