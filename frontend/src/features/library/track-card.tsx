import { type ReactNode, useRef, useState } from 'react';
import { useClients } from '@/api/clients';
import { readError } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { ConfirmButton } from '@/ui/confirm-button';
import { ErrorNote } from '@/ui/error-note';
import { TagIcon } from '@/ui/icons';
import { useCallError } from '@/watch/use-call-error';
import { DownloadButtons } from './download-buttons';
import { Lineage } from './lineage';
import { MadeFacts } from './made-facts';
import { TagForm } from './tag-form';
import { useTrack, useTrackStore } from './track-context';
import { creditWords, durationOf, factWords } from './track-words';

/** What other features put into a track; the app passes them in. */
export interface TrackSlots {
  readonly player: (track: Track, durationSeconds: number) => ReactNode;
  readonly playButton: (track: Track, durationSeconds: number) => ReactNode;
  /** What is known of how it was made, in lines of text. */
  readonly facts: (track: Track) => ReactNode;
  /** What more can be done with a track, each behind a button of its own. */
  readonly panels: (track: Track) => readonly TrackPanel[];
  /** A track was moved to the trash. */
  readonly onGone: (trackId: string) => void;
}

/** Something that opens below a track. */
export interface TrackPanel {
  readonly name: string;
  readonly label: string;
  readonly icon: ReactNode;
  readonly body: (close: () => void) => ReactNode;
}

/** A track by id, with all that can be done with it. */
export function TrackById(props: { trackId: string; slots: TrackSlots; whenMissing?: ReactNode }) {
  const entry = useTrack(props.trackId);
  const store = useTrackStore();
  switch (entry.state) {
    case 'loading':
      return <p className="text-sm text-muted">Fetching the track…</p>;
    case 'missing':
      return (
        <p className="flex flex-wrap items-center justify-between gap-2 text-sm text-muted">
          This track is no longer in the library. {props.whenMissing}
        </p>
      );
    case 'failed':
      return (
        <ErrorNote message={entry.error.message} remedy={entry.error.remedy}>
          <Button onClick={() => void store.reload(props.trackId)}>Try again</Button>
        </ErrorNote>
      );
    case 'ready':
      return <TrackCard track={entry.track} slots={props.slots} />;
  }
}

/** Only its title, in a line of text. */
export function TrackTitle(props: { trackId: string }) {
  const entry = useTrack(props.trackId);
  return <>{entry.state === 'ready' ? entry.track.title : 'A track'}</>;
}

export function TrackCard(props: { track: Track; slots: TrackSlots; headless?: boolean }) {
  const { track, slots } = props;
  const [open, setOpen] = useState<string | null>(null);
  const buttons = useRef(new Map<string, HTMLButtonElement | null>());
  const close = () => {
    buttons.current.get(open ?? '')?.focus();
    setOpen(null);
  };
  const panels = [...slots.panels(track), ...ownPanels(track)];
  return (
    <article
      data-testid="track-card"
      data-track-id={track.trackId}
      className="grid grid-cols-1 gap-3"
    >
      {props.headless !== true && <TrackHead track={track} />}
      <Lineage track={track} />
      <MadeFacts track={track} />
      {slots.facts(track)}
      {slots.player(track, durationOf(track))}
      <div className="flex flex-wrap items-center gap-x-5 gap-y-2">
        <DownloadButtons track={track} />
        <div className="flex flex-wrap gap-1.5">
          {panels.map(({ name, label, icon }) => (
            <Button
              key={name}
              ref={(button) => {
                buttons.current.set(name, button);
              }}
              data-testid={name}
              aria-expanded={open === name}
              onClick={() => setOpen(open === name ? null : name)}
            >
              {icon} {label}
            </Button>
          ))}
          <TrashButton track={track} onGone={slots.onGone} />
        </div>
      </div>
      {panels.find(({ name }) => name === open)?.body(close)}
    </article>
  );
}

function ownPanels(track: Track): TrackPanel[] {
  return [
    {
      name: 'edit-tags',
      label: 'Edit tags',
      icon: <TagIcon />,
      body: (close) => <TagForm track={track} onDone={close} />,
    },
  ];
}

function TrackHead(props: { track: Track }) {
  const { track } = props;
  const credits = creditWords(track);
  return (
    <header>
      <h3
        dir="auto"
        data-testid="track-title"
        title={track.title}
        className="wide line-clamp-3 text-left text-lg leading-snug font-semibold wrap-anywhere"
      >
        {track.title}
      </h3>
      <p className="figures text-sm wrap-anywhere text-muted">
        {credits !== '' && <span className="mr-3 text-ink">{credits}</span>}
        {factWords(track)}
      </p>
      <TagList tags={track.tags} />
    </header>
  );
}

export function TagList(props: { tags: readonly string[] }) {
  if (props.tags.length === 0) return null;
  return (
    <ul aria-label="Tags" className="mt-1.5 flex flex-wrap gap-1.5">
      {props.tags.map((tag) => (
        <li
          key={tag}
          className="rounded-full border border-line px-2 text-xs wrap-anywhere text-muted"
        >
          {tag}
        </li>
      ))}
    </ul>
  );
}

function TrashButton(props: { track: Track; onGone: (trackId: string) => void }) {
  const { trackId } = props.track;
  const { library } = useClients();
  const store = useTrackStore();
  const [error, setError] = useCallError();
  const trash = async () => {
    try {
      await library.deleteTrack({ trackId });
      props.onGone(trackId);
      store.drop(trackId);
    } catch (thrown) {
      setError(readError(thrown));
    }
  };
  if (error !== null) {
    return (
      <ErrorNote message={error.message} remedy={error.remedy}>
        <Button onClick={() => void trash()}>Try again</Button>
        <Button look="quiet" onClick={() => setError(null)}>
          Keep
        </Button>
      </ErrorNote>
    );
  }
  return (
    <ConfirmButton testId="trash" label="Trash" sure="Move to trash" onSure={() => void trash()} />
  );
}
