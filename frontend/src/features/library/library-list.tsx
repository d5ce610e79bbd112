import { type FormEvent, useEffect, useRef, useState } from 'react';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { controlClass } from '@/ui/field';
import { takeLostFocus } from '@/ui/focus';
import { useOnLive } from '@/watch/react';
import { LibraryRow } from './library-row';
import type { TrackSlots } from './track-card';
import { useTrackPage, useTrackStore } from './track-context';
import { useNewTracks } from './use-new-tracks';

/** Every track that was made, newest first. */
export function LibraryList(props: { slots: TrackSlots }) {
  const store = useTrackStore();
  const page = useTrackPage();
  useNewTracks();
  useOnLive(() => page.error !== null && void store.search(page.query));
  useEffect(() => {
    void store.search('');
  }, [store]);
  const list = useRef<HTMLUListElement>(null);
  const loadMore = async () => {
    const known = page.trackIds.length;
    await store.more();
    // With the last page the button goes; the keyboard goes on at the first new track.
    requestAnimationFrame(() => {
      const rows = list.current?.querySelectorAll<HTMLElement>('[data-testid="row-open"]');
      takeLostFocus(rows?.[known] ?? null);
    });
  };
  return (
    <section aria-labelledby="library-title" className="grid grid-cols-1 gap-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <h2 id="library-title" className="wide text-lg font-semibold">
          Library
        </h2>
        <SearchForm onSearch={(query) => void store.search(query)} />
      </div>
      {page.error !== null && (
        <ErrorNote message={page.error.message} remedy={page.error.remedy}>
          <Button onClick={() => void store.search(page.query)}>Try again</Button>
        </ErrorNote>
      )}
      {page.trackIds.length > 0 ? (
        <ul ref={list} data-testid="library" className="rounded-xl border border-line bg-panel">
          {page.trackIds.map((trackId) => (
            <LibraryRow key={trackId} trackId={trackId} slots={props.slots} />
          ))}
        </ul>
      ) : (
        page.error === null && <EmptyLibrary loaded={page.loaded} query={page.query} />
      )}
      {page.nextPageToken !== '' && (
        <Button
          data-testid="load-more"
          className="justify-self-center"
          aria-disabled={page.busy}
          onClick={() => void loadMore()}
        >
          {page.busy ? 'Loading…' : 'Load more'}
        </Button>
      )}
    </section>
  );
}

function SearchForm(props: { onSearch: (query: string) => void }) {
  const [query, setQuery] = useState('');
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    props.onSearch(query.trim());
  };
  return (
    <form aria-label="Search" className="flex gap-2 max-sm:w-full" onSubmit={onSubmit}>
      <input
        type="search"
        aria-label="Search the library"
        data-testid="search"
        className={`${controlClass} sm:max-w-52`}
        dir="auto"
        placeholder="Title, tag, prompt…"
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          // The little cross of a search field clears the search too.
          if (event.target.value === '') props.onSearch('');
        }}
      />
      <Button type="submit" className="h-10">
        Search
      </Button>
    </form>
  );
}

function EmptyLibrary(props: { loaded: boolean; query: string }) {
  return (
    <div className="rounded-xl border border-line bg-panel px-5 py-6 wrap-anywhere text-muted">
      {!props.loaded && <p className="text-sm">Opening the library…</p>}
      {props.loaded && props.query !== '' && (
        <p role="status" className="text-sm">
          Nothing holds the words <span className="text-ink">{props.query}</span>.
        </p>
      )}
      {props.loaded && props.query === '' && (
        <>
          <p className="font-medium text-ink">No tracks yet.</p>
          <p className="mt-1 max-w-prose text-sm">
            Each finished track is kept here as a plain file with its tags and its recipe, on this
            machine.
          </p>
        </>
      )}
    </div>
  );
}
