import { act, screen, waitFor } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createMemoryStudio, type MemoryStudio } from '@/testing/memory-studio';
import { closePages, happen, openPage as openPageOf, servePeaks } from '@/testing/open-page';

let memory: MemoryStudio;

const openPage = () => openPageOf(memory);

beforeEach(() => {
  memory = createMemoryStudio();
  servePeaks();
});

afterEach(() => {
  closePages();
  vi.unstubAllGlobals();
});

describe('the header', () => {
  it('says when the page is cut off, and when it is live again', async () => {
    const { studio } = await openPage();
    await happen(() => memory.jobs.history.drop());
    await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Reconnecting'));
    act(() => studio.hub.poke());
    await waitFor(() => expect(screen.getByTestId('connection')).toHaveTextContent('Live'));
  });

  it('switches the theme and remembers it', async () => {
    await openPage();
    const before = screen.getByTestId('theme').getAttribute('aria-label');
    await userEvent.click(screen.getByTestId('theme'));
    expect(screen.getByTestId('theme').getAttribute('aria-label')).not.toBe(before);
    const chosen = document.documentElement.dataset.theme;
    expect(localStorage.getItem('musicgen.theme')).toBe(chosen);
    const { applyKeptTheme, currentTheme } = await import('./theme');
    delete document.documentElement.dataset.theme;
    applyKeptTheme();
    expect(currentTheme()).toBe(chosen);
    delete document.documentElement.dataset.theme;
  });
});

describe('the page', () => {
  it('gives the stream up while it is away, and takes it again', async () => {
    await openPage();
    window.dispatchEvent(new Event('pagehide'));
    await waitFor(() => expect(memory.jobs.openWatches).toBe(0));
    window.dispatchEvent(new Event('pageshow'));
    await waitFor(() => expect(memory.jobs.openWatches).toBe(1));
    window.dispatchEvent(new Event('online'));
    document.dispatchEvent(new Event('visibilitychange'));
  });
});
