import { useEffect, useId, useState } from 'react';
import { useClients } from '@/api/clients';
import { readError } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { controlClass } from '@/ui/field';
import { takeLostFocus } from '@/ui/focus';
import { clock } from '@/ui/time';
import { useCallError } from '@/watch/use-call-error';
import { TrackTitle } from './track-card';
import { useTrackStore } from './track-context';
import { durationOf } from './track-words';

const SHOWN = 6;
const PAUSE_MS = 250;

/** One track of the library: found by its words, and named once it is chosen. */
export function TrackPicker(props: { trackId: string; onChoose: (trackId: string) => void }) {
  const { trackId, onChoose } = props;
  const [changed, setChanged] = useState(false);
  if (trackId !== '') {
    return (
      <p
        data-testid="picked-track"
        className="flex items-center justify-between gap-3 rounded-md border border-edge bg-well py-1 pr-1.5 pl-3"
      >
        <span dir="auto" className="min-w-0 truncate text-left">
          <TrackTitle trackId={trackId} />
        </span>
        <Button
          ref={changed ? takeLostFocus : undefined}
          look="quiet"
          onClick={() => {
            setChanged(true);
            onChoose('');
          }}
        >
          Another one
        </Button>
      </p>
    );
  }
  return (
    <Finder
      focus={changed}
      onChoose={(chosen) => {
        setChanged(true);
        onChoose(chosen);
      }}
    />
  );
}

function Finder(props: { focus: boolean; onChoose: (trackId: string) => void }) {
  const [query, setQuery] = useState('');
  const { tracks, message } = useFound(query);
  const listId = useId();
  return (
    <div className="grid grid-cols-1 gap-1.5">
      <input
        ref={props.focus ? takeLostFocus : undefined}
        type="search"
        aria-label="Find a track"
        aria-controls={listId}
        data-testid="find-track"
        dir="auto"
        className={controlClass}
        placeholder="Title, tag, prompt…"
        value={query}
        onChange={(event) => setQuery(event.target.value)}
        onKeyDown={(event) => {
          // Here Enter takes the first that was found; it doesn't send the form.
          if (event.key !== 'Enter' || event.ctrlKey || event.metaKey) return;
          event.preventDefault();
          if (tracks[0] !== undefined) props.onChoose(tracks[0].trackId);
        }}
      />
      <ul id={listId} aria-label="Tracks" className="grid grid-cols-1">
        {tracks.map((track) => (
          <li key={track.trackId}>
            <button
              type="button"
              data-testid="pick-track"
              className="flex w-full items-baseline justify-between gap-3 rounded-md px-3 py-1 text-left text-sm hover:bg-well"
              onClick={() => props.onChoose(track.trackId)}
            >
              <span dir="auto" className="min-w-0 truncate text-left">
                {track.title}
              </span>
              <span className="figures text-muted">{clock(durationOf(track))}</span>
            </button>
          </li>
        ))}
      </ul>
      <p role="status" className="text-sm text-muted empty:hidden">
        {message}
      </p>
    </div>
  );
}

/** The newest tracks that hold some words. */
function useFound(query: string): { tracks: readonly Track[]; message: string } {
  const { library } = useClients();
  const store = useTrackStore();
  const [tracks, setTracks] = useState<readonly Track[] | null>(null);
  const [error, setError] = useCallError();
  // biome-ignore lint/correctness/useExhaustiveDependencies: setError does the same each time
  useEffect(() => {
    const life = new AbortController();
    const { signal } = life;
    const ask = async () => {
      try {
        const found = await library.listTracks(
          { pageSize: SHOWN, query: query.trim() },
          { signal },
        );
        if (signal.aborted) return;
        for (const track of found.tracks) store.put(track);
        setTracks(found.tracks);
        setError(null);
      } catch (thrown) {
        if (!signal.aborted) setError(readError(thrown));
      }
    };
    const timer = setTimeout(() => void ask(), query === '' ? 0 : PAUSE_MS);
    return () => {
      clearTimeout(timer);
      life.abort();
    };
  }, [library, store, query]);
  const none =
    query.trim() === '' ? 'The library holds no track yet.' : 'No track holds these words.';
  return { tracks: tracks ?? [], message: error?.message ?? (tracks?.length === 0 ? none : '') };
}
