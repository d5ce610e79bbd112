import { useMemo } from 'react';
import { CreateForm } from '@/features/create/create-form';
import type { JobSlots } from '@/features/jobs/job-card';
import { JobList } from '@/features/jobs/job-list';
import { LibraryList } from '@/features/library/library-list';
import {
  TrackById,
  type TrackPanel,
  type TrackSlots,
  TrackTitle,
} from '@/features/library/track-card';
import { durationOf } from '@/features/library/track-words';
import { LoopPanel } from '@/features/loops/loop-panel';
import { SeamFacts } from '@/features/loops/seam-facts';
import type { LoopSlots } from '@/features/loops/slots';
import { PlanPanel, type PlanSlots } from '@/features/plan/plan-panel';
import { readRecipe } from '@/features/plan/recipe';
import { VariationForm } from '@/features/plan/variation-form';
import { CycleWave } from '@/features/player/cycle-wave';
import type { Deck } from '@/features/player/deck';
import { useDeck } from '@/features/player/deck-context';
import { PlayButton } from '@/features/player/play-button';
import { Player } from '@/features/player/player';
import { PreviewPlayer } from '@/features/player/preview-player';
import { wholeTape } from '@/features/player/tape';
import { TapeNeedle } from '@/features/player/tape-needle';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { LoopIcon, PlanIcon, VariationIcon } from '@/ui/icons';
import { Layout } from './layout';
import { Providers } from './providers';
import type { Studio } from './studio';
import { tapeOfJob, tapeOfTrack } from './tapes';

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
  const plans: PlanSlots = {
    needle: (track, seconds) => <TapeNeedle tapeId={track.trackId} seconds={seconds} />,
    playFrom: (track, seconds) => deck.play(tapeOfTrack(track, durationOf(track)), seconds),
    showJob,
  };
  const loops: LoopSlots = {
    picture: (track, from, to) => <CycleWave peaksUrl={track.peaksPath} from={from} to={to} />,
    play: ({ clipId, ...clip }) => (
      <PlayButton tape={wholeTape({ ...clip, tapeId: clipId, artist: '' })} testId="seam-play" />
    ),
  };
  const tracks: TrackSlots = {
    player: (track, seconds) => (
      <Player tape={tapeOfTrack(track, seconds)} peaksUrl={track.peaksPath} />
    ),
    playButton: (track, seconds) => <PlayButton tape={tapeOfTrack(track, seconds)} />,
    facts: (track) => <SeamFacts track={track} />,
    panels: (track) => [...planPanels(track, plans), loopPanel(track, loops)],
    onGone: (trackId) => deck.eject(trackId),
  };
  const jobs: JobSlots = {
    track: (trackId, whenMissing) => (
      <TrackById trackId={trackId} slots={tracks} whenMissing={whenMissing} />
    ),
    trackTitle: (trackId) => <TrackTitle trackId={trackId} />,
    preview: (job) => {
      const tape = tapeOfJob(job);
      return tape && <PreviewPlayer tape={tape} />;
    },
  };
  return [jobs, tracks];
}

/** What a track offers if the composer made it by a plan that is still known. */
function planPanels(track: Track, slots: PlanSlots): TrackPanel[] {
  const recipe = readRecipe(track);
  if (recipe === null) return [];
  const { plan } = recipe;
  const panels: TrackPanel[] = [
    {
      name: 'plan',
      label: 'Plan',
      icon: <PlanIcon />,
      body: (close) => <PlanPanel track={track} recipe={recipe} slots={slots} onDone={close} />,
    },
  ];
  if (plan !== null) {
    panels.push({
      name: 'variation',
      label: 'Variation',
      icon: <VariationIcon />,
      body: (close) => (
        <VariationForm
          track={track}
          recipe={{ ...recipe, plan }}
          showJob={slots.showJob}
          onDone={close}
        />
      ),
    });
  }
  return panels;
}

function loopPanel(track: Track, slots: LoopSlots): TrackPanel {
  return {
    name: 'loop',
    label: 'Loop it',
    icon: <LoopIcon />,
    body: (close) => <LoopPanel track={track} slots={slots} onDone={close} />,
  };
}

/** Brings a job's card into sight, and the keyboard near it. */
function showJob(jobId: string): void {
  const card = document.querySelector<HTMLElement>(
    `[data-testid="job-card"][data-job-id="${CSS.escape(jobId)}"]`,
  );
  const target = card ?? document.getElementById('bench');
  target?.scrollIntoView({ behavior: 'smooth', block: card === null ? 'start' : 'center' });
  card?.querySelector<HTMLElement>('button')?.focus({ preventScroll: true });
}
