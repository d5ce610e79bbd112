import { act, render, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { expect, vi } from 'vitest';
import { App } from '@/app/app';
import { createStudio, type Outside, watchWhileShown } from '@/app/studio';
import type { MemoryStudio } from './memory-studio';
import { MemoryTabs } from './memory-tabs';

const endings: (() => void)[] = [];

/** Opens the page on a studio in memory, as a browser would. */
export async function openPage(memory: MemoryStudio, outside: Partial<Outside> = {}) {
  const studio = createStudio({
    transport: memory.transport,
    uploads: memory.uploads.port,
    tabs: new MemoryTabs().tab(),
    audio: document.createElement('audio'),
    ...outside,
  });
  const end = watchWhileShown(studio.hub);
  const { unmount } = render(<App studio={studio} />);
  endings.push(end);
  await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Live'));
  return {
    studio,
    close: () => {
      unmount();
      end();
    },
  };
}

/** Ends every page that was opened. */
export function closePages(): void {
  for (const end of endings.splice(0)) end();
}

/** Does what a worker does to a job, and lets the page see it. */
export async function happen(change: () => void): Promise<void> {
  await act(async () => {
    change();
    await new Promise((resolve) => setTimeout(resolve, 0));
  });
}

/** Lets every waveform be the same short one. */
export function servePeaks(): void {
  const peaks = '{"frames_per_peak":100,"peaks":[[-0.5,0.5],[-1,1]]}';
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => new Response(peaks)),
  );
}

/** Asks for a track by the form; returns its job. */
export async function makeTrack(memory: MemoryStudio, prompt: string, seed = ''): Promise<string> {
  const user = userEvent.setup();
  await user.clear(screen.getByTestId('prompt'));
  await user.type(screen.getByTestId('prompt'), prompt);
  if (seed !== '') await user.type(screen.getByTestId('seed'), seed);
  const before = memory.jobs.jobs.length;
  await user.click(screen.getByTestId('make'));
  await waitFor(() => expect(memory.jobs.jobs).toHaveLength(before + 1));
  return memory.jobs.jobs.at(-1)?.jobId ?? '';
}
