import { createContext, type ReactNode, useContext } from 'react';
import type { Downloads } from './downloads';

const DownloadsContext = createContext<Downloads | null>(null);

export function DownloadsProvider(props: { downloads: Downloads; children: ReactNode }) {
  return <DownloadsContext value={props.downloads}>{props.children}</DownloadsContext>;
}

export function useDownloads(): Downloads {
  const downloads = useContext(DownloadsContext);
  if (downloads === null) throw new Error('useDownloads needs a DownloadsProvider above it');
  return downloads;
}
