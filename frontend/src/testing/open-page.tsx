import { act, render, screen, waitFor } from '@testing-library/react';
import { expect } from 'vitest';
import { App } from '@/app/app';
import { createStudio, type Outside, watchWhileShown } from '@/app/studio';
import type { MemoryStudio } from './memory-studio';
import { MemoryTabs } from './memory-tabs';

const endings: (() => void)[] = [];

/** Opens the page on a studio in memory, as a browser would. */
export async function openPage(memory: MemoryStudio, outside: Partial<Outside> = {}) {
  const studio = createStudio({
    transport: memory.transport,
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
