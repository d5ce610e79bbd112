import { useMemo } from 'react';
import { CreateForm } from '@/features/create/create-form';
import type { JobSlots } from '@/features/jobs/job-card';
import { JobList } from '@/features/jobs/job-list';
import { LibraryList } from '@/features/library/library-list';
import { TrackById, type TrackSlots, TrackTitle } from '@/features/library/track-card';
import type { Deck, Tape } from '@/features/player/deck';
import { useDeck } from '@/features/player/deck-context';
import { PlayButton, Player } from '@/features/player/player';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Layout } from './layout';
import { Providers } from './providers';
import type { Studio } from './studio';

export function App(props: { studio: Studio }) {
  return (
    <Providers studio={props.studio}>
      <StudioPage />
    </Providers>
  );
}

/** Puts the features together; they don't know of each other. */
function StudioPage() {
  const deck = useDeck();
  const [jobSlots, trackSlots] = useMemo(() => compose(deck), [deck]);
  return (
    <Layout make={<CreateForm onAccepted={showBench} />}>
      <JobList slots={jobSlots} />
      <LibraryList slots={trackSlots} />
    </Layout>
  );
}

/** Where the form fills the screen, the new card would come up out of sight. */
function showBench(): void {
  if (window.matchMedia('(min-width: 64rem)').matches) return;
  document.getElementById('bench')?.scrollIntoView({ behavior: 'smooth' });
}

function compose(deck: Deck): [JobSlots, TrackSlots] {
  const tracks: TrackSlots = {
    player: (track, seconds) => <Player tape={tapeOf(track, seconds)} peaksUrl={track.peaksPath} />,
    playButton: (track, seconds) => <PlayButton tape={tapeOf(track, seconds)} />,
    onGone: (trackId) => deck.eject(trackId),
  };
  const jobs: JobSlots = {
    track: (trackId, whenMissing) => (
      <TrackById trackId={trackId} slots={tracks} whenMissing={whenMissing} />
    ),
    trackTitle: (trackId) => <TrackTitle trackId={trackId} />,
  };
  return [jobs, tracks];
}

function tapeOf(track: Track, durationSeconds: number): Tape {
  const { trackId, title, artist, audioPath: src } = track;
  return { trackId, title, artist, src, durationSeconds };
}
