import type { ReactNode } from 'react';
import { ConnectionBadge } from './connection-badge';
import { ThemeToggle } from './theme-toggle';

/** Header and two columns; one column where there is no room for two. */
export function Layout(props: { tools: ReactNode; make: ReactNode; children: ReactNode }) {
  return (
    <div className="mx-auto max-w-[76rem] px-4 pb-16 sm:px-6">
      <header className="flex items-center justify-between gap-4 py-4 sm:py-5">
        <h1 className="wide flex min-w-0 items-center gap-2.5 text-lg font-bold whitespace-nowrap max-sm:gap-2 max-sm:text-base">
          <img src="/favicon.svg" alt="" width="26" height="26" className="shrink-0" />
          <span className="truncate">MusicGen Local</span>
        </h1>
        <div className="flex shrink-0 items-center gap-2 sm:gap-3">
          <ConnectionBadge />
          {props.tools}
          <ThemeToggle />
        </div>
      </header>
      <main className="grid grid-cols-1 items-start gap-8 lg:grid-cols-[25rem_minmax(0,1fr)]">
        <div className="rounded-xl border border-line bg-panel p-4 sm:p-5 lg:sticky lg:top-5 lg:max-h-[calc(100dvh-2.5rem)] lg:overflow-y-auto">
          {props.make}
        </div>
        <div className="grid min-w-0 grid-cols-1 gap-9">{props.children}</div>
      </main>
    </div>
  );
}
