import { useId, useState } from 'react';
import type { Track, TrackFile } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button, buttonClass } from '@/ui/button';
import { sizeWords } from '@/ui/size';

const MIDI = 'audio/midi';

/** The score beside a track: a button among its downloads. */
export function MidiLink(props: { track: Track }) {
  const score = props.track.files.find((file) => file.mediaType === MIDI);
  if (score === undefined) return null;
  return (
    <a
      data-testid="download-midi"
      className={buttonClass()}
      href={score.path}
      download=""
      aria-label="Download MIDI"
    >
      MIDI
    </a>
  );
}

/** The parts of a track, each a download, behind one button. */
export function Stems(props: { track: Track }) {
  const stems = props.track.files.filter((file) => file.mediaType !== MIDI);
  const [open, setOpen] = useState(false);
  const listId = useId();
  if (stems.length === 0) return null;
  return (
    <>
      <Button
        data-testid="stems"
        aria-expanded={open}
        aria-controls={listId}
        onClick={() => setOpen(!open)}
      >
        Stems <span className="figures text-xs text-muted">{stems.length}</span>
      </Button>
      {open && (
        <ul id={listId} aria-label="Stems" className="flex w-full flex-wrap gap-1.5">
          {stems.map((stem) => (
            <li key={stem.name}>
              <StemLink stem={stem} />
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

function StemLink(props: { stem: TrackFile }) {
  const { label, path, sizeBytes } = props.stem;
  return (
    <a
      data-testid="download-stem"
      className={buttonClass()}
      href={path}
      download=""
      aria-label={`Download ${label}`}
    >
      <span className="wrap-anywhere">{label}</span>
      <span className="figures text-xs text-muted">{sizeWords(Number(sizeBytes))}</span>
    </a>
  );
}
