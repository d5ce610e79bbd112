export type Theme = 'light' | 'dark';

const KEY = 'musicgen.theme';

/** The theme in use: as chosen here, otherwise as the system has it. */
export function currentTheme(root: HTMLElement = document.documentElement): Theme {
  const chosen = root.dataset.theme;
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return window.matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

/** Puts on the theme that was chosen on an earlier visit, if any. */
export function applyKeptTheme(root: HTMLElement = document.documentElement): void {
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === 'light' || kept === 'dark') root.dataset.theme = kept;
  } catch {
    // Without storage the system's theme stands.
  }
}

export function chooseTheme(theme: Theme, root: HTMLElement = document.documentElement): void {
  root.dataset.theme = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // It holds for this visit.
  }
}
