import { create } from '@bufbuild/protobuf';
import { Code } from '@connectrpc/connect';
import { fireEvent, screen, waitFor, within } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Job_Priority, JobSpecSchema } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { studioError } from '@/testing/memory-errors';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage, servePeaks } from '@/testing/open-page';
import { ask, askBatch, crowd, furnishQueue } from '@/testing/sample-queue';

let memory: MemoryStudio;

/** What waits, in the order in which it is shown. */
const line = () =>
  screen
    .getAllByTestId('job-card')
    .filter(({ dataset }) => dataset.state === 'queued')
    .map((card) => within(card).getByRole('heading').textContent)
    .join(' ');

const cardOf = (jobId: string) => {
  const cards = screen.getAllByTestId('job-card');
  return within(cards.find(({ dataset }) => dataset.jobId === jobId) as HTMLElement);
};

const heard = () => screen.getByTestId('announcer').textContent;

beforeEach(() => {
  memory = createMemoryStudio();
  servePeaks();
});

afterEach(() => {
  closePages();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('the queue', () => {
  it('stands in the order in which it starts, and says who comes next', async () => {
    const running = ask(memory, 'zero');
    memory.jobs.start(running);
    const [one, two, three] = ['one', 'two', 'three'].map((name) => ask(memory, name));
    await openPage(memory);
    await waitFor(() => expect(line()).toBe('one two three'));
    expect(screen.getAllByTestId('job-card')[0]).toHaveAttribute('data-state', 'running');
    expect(cardOf(one ?? '').getByTestId('job-stage')).toHaveTextContent('Next in line');
    expect(cardOf(three ?? '').getByTestId('job-stage')).toHaveTextContent('3rd in line');
    expect(screen.getByTestId('bench-counts')).toHaveTextContent('1 working, 3 waiting');

    const user = userEvent.setup();
    const up = cardOf(three ?? '').getByTestId('move-up');
    await user.click(up);
    await waitFor(() => expect(line()).toBe('one three two'));
    expect(heard()).toBe('“three” is 2nd of 3 in line');
    await user.click(cardOf(one ?? '').getByTestId('move-down'));
    await waitFor(() => expect(line()).toBe('three one two'));
    await user.click(cardOf(two ?? '').getByTestId('move-first'));
    await waitFor(() => expect(line()).toBe('two three one'));
    expect(cardOf(two ?? '').getByTestId('move-up')).toHaveAttribute('aria-disabled', 'true');
    await user.selectOptions(cardOf(one ?? '').getByTestId('priority'), 'High');
    await waitFor(() => expect(line()).toBe('one two three'));
    expect(memory.jobs.job(one ?? '').priority).toBe(Job_Priority.HIGH);
  });

  it('shows what another page moved', async () => {
    const [, two] = ['one', 'two'].map((name) => ask(memory, name));
    await openPage(memory);
    await waitFor(() => expect(line()).toBe('one two'));
    await happen(() => {
      const move = { jobId: two, priority: 0, place: { case: 'first', value: true } };
      void memory.jobs.service().moveJob?.(move as never, {} as never);
    });
    expect(line()).toBe('two one');
  });

  it('is put in order by keyboard alone', async () => {
    for (const name of ['one', 'two', 'three']) ask(memory, name);
    await openPage(memory);
    const user = userEvent.setup();
    const grip = (await screen.findAllByTestId('grip'))[0] as HTMLElement;
    grip.focus();
    await user.keyboard('{Enter}');
    expect(heard()).toContain('“one” is picked up');
    expect(grip).toHaveAttribute('aria-pressed', 'true');
    await user.keyboard('{ArrowDown}');
    expect(heard()).toBe('Place 2 of 3');
    expect(screen.getByTestId('drop-mark')).toBeInTheDocument();
    await user.keyboard('{Escape}');
    expect(heard()).toContain('stays where it was');
    expect(screen.queryByTestId('drop-mark')).toBeNull();
    await user.keyboard(' {ArrowDown}{ArrowDown}{ArrowDown} ');
    await waitFor(() => expect(line()).toBe('two three one'));
    expect(heard()).toBe('“one” is 3rd of 3 in line');
  });

  it('is put in order by the mouse', async () => {
    for (const name of ['one', 'two', 'three']) ask(memory, name);
    await openPage(memory);
    const grips = await screen.findAllByTestId('grip');
    const rowPx = 100;
    vi.spyOn(HTMLElement.prototype, 'getBoundingClientRect').mockImplementation(function (
      this: HTMLElement,
    ) {
      const top = [...(this.parentElement?.children ?? [])].indexOf(this) * rowPx;
      return new DOMRect(0, top, 500, rowPx - 10);
    });
    Element.prototype.setPointerCapture ??= () => {};
    const grip = grips[2] as HTMLElement;
    fireEvent.pointerDown(grip, { button: 0, clientY: 345, pointerId: 1 });
    fireEvent.pointerMove(grip, { clientY: 343, pointerId: 1 });
    expect(grip).toHaveAttribute('aria-pressed', 'false'); // that was no drag yet
    fireEvent.pointerMove(grip, { clientY: 120, pointerId: 1 });
    expect(grip).toHaveAttribute('aria-pressed', 'true');
    expect(screen.getByTestId('drop-mark')).toBeInTheDocument();
    fireEvent.pointerUp(grip, { clientY: 120, pointerId: 1 });
    await waitFor(() => expect(line()).toBe('three one two'));
    expect(screen.queryByTestId('drop-mark')).toBeNull();
  });

  it('says why a job could not be moved, unless it was only taken meanwhile', async () => {
    const [one] = ['one', 'two'].map((name) => ask(memory, name));
    await openPage(memory);
    const refusal = studioError(Code.Unavailable, 'STORE_UNAVAILABLE', 'No store.', 'Try again.');
    memory.jobs.failNext.set('moveJob', refusal);
    const user = userEvent.setup();
    await user.click((await screen.findAllByTestId('move-down'))[0] as HTMLElement);
    expect(await cardOf(one ?? '').findByTestId('error-message')).toHaveTextContent('No store.');
    const late = studioError(Code.FailedPrecondition, 'JOB_NOT_WAITING', 'It runs.', '');
    memory.jobs.failNext.set('moveJob', late);
    await user.click(cardOf(one ?? '').getByTestId('move-down'));
    await waitFor(() => expect(screen.queryByTestId('error-message')).toBeNull());
    expect(line()).toBe('one two');
  });

  it('is paused and resumed, and says so', async () => {
    ask(memory, 'one');
    await openPage(memory);
    const user = userEvent.setup();
    await user.click(await screen.findByTestId('pause'));
    const banner = await screen.findByTestId('pause-banner');
    expect(banner).toHaveTextContent('The queue is paused');
    expect(banner).toHaveTextContent('1 waits until you resume');
    expect(heard()).toBe('The queue is paused');
    expect(document.title).toBe('paused · 1 waiting · MusicGen Local');
    await waitFor(() => expect(screen.getByTestId('resume')).toHaveFocus());
    expect(screen.queryByTestId('pause')).toBeNull();
    await user.click(screen.getByTestId('resume'));
    await waitFor(() => expect(screen.queryByTestId('pause-banner')).toBeNull());
    await waitFor(() => expect(screen.getByTestId('pause')).toHaveFocus());
  });

  it('tells of one queue that was paused by its name', async () => {
    ask(memory, 'song', { engine: 'diffrhythm' });
    await openPage(memory);
    await happen(() => memory.jobs.pause('generate.diffrhythm', true));
    expect(screen.getByTestId('pause-banner')).toHaveTextContent('Paused: diffrhythm');
    expect(heard()).toBe('The queue of diffrhythm is paused');
    await userEvent.click(screen.getByTestId('resume'));
    await waitFor(() => expect(screen.queryByTestId('pause-banner')).toBeNull());
    expect(screen.getByTestId('pause')).toBeInTheDocument();
  });

  it('counts down to the next attempt, and keeps what went wrong', async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    await openPage(memory);
    const jobId = ask(memory, 'one');
    await happen(() => memory.jobs.start(jobId));
    const crash = { message: 'The engine crashed.' };
    await happen(() => memory.jobs.requeue(jobId, crash, 4));
    const stage = () => cardOf(jobId).getByTestId('job-stage');
    expect(stage()).toHaveTextContent(/^Waits [34] s, then tries again \(attempt 2 of 3\)$/);
    await vi.advanceTimersByTimeAsync(5_000);
    await waitFor(() => expect(stage()).toHaveTextContent('Next in line, attempt 2 of 3'));
    await happen(() => memory.jobs.start(jobId));
    expect(cardOf(jobId).getByTestId('job-attempt')).toHaveTextContent('Attempt 2 of 3');
    await happen(() => memory.jobs.giveBack(jobId));
    expect(cardOf(jobId).getByTestId('attempts')).toHaveTextContent('2 attempts before');
    expect(cardOf(jobId).getAllByTestId('attempt')[1]).toHaveTextContent('It doesn’t count.');
    await happen(() => memory.jobs.start(jobId));
    await happen(() => memory.jobs.fail(jobId, { message: 'Too much.', remedy: 'Ask for less.' }));
    expect(cardOf(jobId).getByTestId('attempts')).toHaveAttribute('open');
    expect(cardOf(jobId).getAllByTestId('attempt')).toHaveLength(3);
    expect(cardOf(jobId).getByTestId('error-message')).toHaveTextContent('Too much.');
  });

  it('of hundreds shows the first, the last and how many lie between', async () => {
    crowd(memory, 300);
    await openPage(memory);
    await waitFor(() => expect(screen.getAllByTestId('job-card')).toHaveLength(21));
    await userEvent.click(screen.getByRole('button', { name: 'and 279 more' }));
    expect(screen.getAllByTestId('job-card')).toHaveLength(71);
    await happen(() => {
      for (let count = 0; count < 5; count += 1) ask(memory, `more ${count}`);
    });
    expect(heard()).toBe('5 jobs: 5 Waiting');
  });
});

describe('a batch', () => {
  it('is one card with counters, folded out to its jobs, and can be cancelled', async () => {
    const jobIds = askBatch(
      memory,
      Array.from({ length: 6 }, (_, index) => `sketch ${index + 1}`),
    );
    await openPage(memory);
    const batch = within(await screen.findByTestId('batch-card'));
    expect(batch.getByRole('heading')).toHaveTextContent('sketch 1');
    expect(batch.getByText('and 5 more pieces')).toBeInTheDocument();
    expect(batch.getByText('1st in line')).toBeInTheDocument();
    expect(screen.queryByTestId('job-card')).toBeNull();
    const [one = '', two = ''] = jobIds;
    await happen(() => memory.jobs.start(one));
    await happen(() => memory.jobs.start(two));
    await happen(() => memory.jobs.fail(two, { message: 'No.' }));
    expect(batch.getByTestId('batch-counts')).toHaveTextContent(
      '0 of 6 done, 1 working, 4 waiting, 1 failed',
    );
    expect(heard()).toBe('Batch: 0 of 6 done, 1 working, 4 waiting, 1 failed');
    expect(batch.getByRole('img')).toHaveAttribute('aria-label', expect.stringContaining('0 of 6'));
    const user = userEvent.setup();
    await user.click(batch.getByTestId('batch-fold'));
    expect(screen.getAllByTestId('job-card')).toHaveLength(6);
    await user.click(batch.getAllByTestId('move-first').at(-1) as HTMLElement);
    await waitFor(() => expect(line()).toBe('sketch 6 sketch 3 sketch 4 sketch 5'));
    await user.click(batch.getByTestId('batch-cancel'));
    await user.click(batch.getByRole('button', { name: 'Cancel 5' }));
    await waitFor(() =>
      expect(batch.getByTestId('batch-counts')).toHaveTextContent(
        '1 working, 1 failed, 4 cancelled',
      ),
    );
    await happen(() => memory.jobs.cancelled(one));
    expect(batch.queryByTestId('batch-cancel')).toBeNull();
  });

  it('of a few versions unfolds when the first begins; singles step over it in line', async () => {
    ask(memory, 'before');
    const [one = ''] = askBatch(memory, ['rain', 'rain', 'rain']);
    const behind = ask(memory, 'behind');
    await openPage(memory);
    const batch = within(await screen.findByTestId('batch-card'));
    expect(batch.getByText('3 versions')).toBeInTheDocument();
    expect(line()).toBe('before behind');
    await userEvent.click(cardOf(behind).getByTestId('move-up'));
    await waitFor(() => expect(heard()).toBe('“behind” is 2nd of 5 in line'));
    await happen(() => memory.jobs.start(one));
    expect(batch.getAllByTestId('job-card')).toHaveLength(3);
    expect(screen.getByTestId('some-of-batch')).toHaveTextContent('3rd in line: 2 ofrain');
  });

  it('lies with all else that can be in a queue', async () => {
    furnishQueue(memory);
    await openPage(memory);
    await waitFor(() => expect(screen.getAllByTestId('batch-card')).toHaveLength(2));
    expect(screen.getAllByTestId('line-head')).toHaveLength(2);
  });

  it('is refused as a whole when one of it is at fault', async () => {
    await openPage(memory);
    const spec = create(JobSpecSchema, {
      kind: { case: 'generate', value: { parameters: { prompt: ' ' } } },
    });
    const requests = [{ spec, priority: 0 }];
    const call = () =>
      memory.jobs.service().batchCreateJobs?.({ requests, requestId: '' } as never, {} as never);
    expect(call).toThrow('The prompt is empty.');
    expect(memory.jobs.jobs).toHaveLength(0);
  });
});
