import type { ReactNode } from 'react';
import { ClientsProvider } from '@/api/clients';
import { ListingsProvider } from '@/calls/listings';
import { DownloadsProvider } from '@/features/library/download-context';
import { TracksProvider } from '@/features/library/track-context';
import { DraftsProvider } from '@/features/plan/drafts-context';
import { DeckProvider } from '@/features/player/deck-context';
import { JobsProvider } from '@/watch/react';
import type { Studio } from './studio';

/** Hands the studio's parts to whoever asks for them. */
export function Providers(props: { studio: Studio; children: ReactNode }) {
  const { studio } = props;
  return (
    <ClientsProvider clients={studio.clients}>
      <JobsProvider store={studio.jobs}>
        <ListingsProvider listings={studio.listings}>
          <TracksProvider store={studio.tracks}>
            <DownloadsProvider downloads={studio.downloads}>
              <DraftsProvider drafts={studio.drafts}>
                <DeckProvider deck={studio.deck}>{props.children}</DeckProvider>
              </DraftsProvider>
            </DownloadsProvider>
          </TracksProvider>
        </ListingsProvider>
      </JobsProvider>
    </ClientsProvider>
  );
}
