import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { useTrack, useTrackPage } from './track-context';
import { isGenerated } from './track-words';

/** What a track was made from, with a way there if it is in the list. */
export function Lineage(props: { track: Track }) {
  const { parentTrackId } = props.track;
  return parentTrackId === '' ? null : <ParentLine {...props} />;
}

function ParentLine(props: { track: Track }) {
  const { track } = props;
  const parent = useTrack(track.parentTrackId);
  const listed = useTrackPage().trackIds.includes(track.parentTrackId);
  return (
    <p data-testid="lineage" className="-mt-1.5 text-sm wrap-anywhere text-muted">
      {isGenerated(track) ? 'Variation of' : 'Loop of'}{' '}
      {parent.state === 'missing' && 'a track that is no longer in the library'}
      {(parent.state === 'loading' || parent.state === 'failed') && 'another track'}
      {parent.state === 'ready' && !listed && <span dir="auto">{parent.track.title}</span>}
      {parent.state === 'ready' && listed && (
        <button
          type="button"
          dir="auto"
          className="rounded text-left text-ink underline decoration-edge underline-offset-3 hover:decoration-ink"
          onClick={() => showTrack(track.parentTrackId)}
        >
          {parent.track.title}
        </button>
      )}
    </p>
  );
}

/** Brings a track of the list into sight and the keyboard to it. */
function showTrack(trackId: string): void {
  const row = document.querySelector<HTMLElement>(
    `[data-testid="library-row"][data-track-id="${CSS.escape(trackId)}"]`,
  );
  row?.scrollIntoView({ behavior: 'smooth', block: 'center' });
  row?.querySelector<HTMLElement>('[data-testid="row-open"]')?.focus({ preventScroll: true });
}
