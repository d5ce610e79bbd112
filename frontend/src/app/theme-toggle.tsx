import { useState } from 'react';
import { MoonIcon, SunIcon } from '@/ui/icons';
import { chooseTheme, currentTheme } from './theme';

export function ThemeToggle() {
  const [theme, setTheme] = useState(currentTheme);
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button
      type="button"
      data-testid="theme"
      aria-label={`Switch to the ${other} theme`}
      className="grid size-9 place-items-center rounded-full text-muted hover:text-ink"
      onClick={() => {
        chooseTheme(other);
        setTheme(other);
      }}
    >
      {theme === 'dark' ? <SunIcon /> : <MoonIcon />}
    </button>
  );
}
