import { useState } from 'react';
import { clock } from '@/ui/time';
import { TagList, TrackCard, type TrackSlots } from './track-card';
import { useTrack } from './track-context';
import { creditWords, durationOf, factWords, musicWords } from './track-words';

/** One track of the list; opens into its card. */
export function LibraryRow(props: { trackId: string; slots: TrackSlots }) {
  const entry = useTrack(props.trackId);
  const [open, setOpen] = useState(false);
  if (entry.state !== 'ready') return null;
  const { track } = entry;
  const seconds = durationOf(track);
  return (
    <li
      data-testid="library-row"
      data-track-id={track.trackId}
      className="border-b border-line last:border-b-0"
    >
      <div className="flex items-center gap-3 px-3 py-2.5">
        {props.slots.playButton(track, seconds)}
        <button
          type="button"
          aria-expanded={open}
          data-testid="row-open"
          className="grid min-w-0 flex-1 grid-cols-[minmax(0,1fr)_auto] items-baseline gap-x-4 rounded text-left"
          onClick={() => setOpen(!open)}
        >
          <span dir="auto" className="truncate text-left font-medium">
            {track.title}
          </span>
          <span className="figures text-sm text-muted">{clock(seconds)}</span>
          <span className="figures col-span-2 truncate text-sm text-muted">
            {creditWords(track) || musicWords(track)}
          </span>
        </button>
      </div>
      {open && (
        <div className="px-3 pb-4">
          {creditWords(track) !== '' && (
            <p className="figures text-sm text-muted">{factWords(track)}</p>
          )}
          <TagList tags={track.tags} />
          <div className="mt-3">
            <TrackCard track={track} slots={props.slots} headless />
          </div>
        </div>
      )}
    </li>
  );
}
