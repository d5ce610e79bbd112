import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { madeWords } from './made-words';

/** How an engine made a track: with which model, on what, and how it made do with memory. */
export function MadeFacts(props: { track: Track }) {
  const words = madeWords(props.track);
  if (words === '') return null;
  return (
    <p data-testid="made-facts" className="figures -mt-1.5 text-sm wrap-anywhere text-muted">
      {words}
    </p>
  );
}
