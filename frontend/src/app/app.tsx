import { useMemo, useState } from 'react';
import { useEngines } from '@/calls/use-engines';
import { CreateForm } from '@/features/create/create-form';
import type { CreateSlots } from '@/features/create/slots';
import type { JobSlots } from '@/features/jobs/job-card';
import { JobList } from '@/features/jobs/job-list';
import { LibraryList } from '@/features/library/library-list';
import {
  TrackById,
  type TrackPanel,
  type TrackSlots,
  TrackTitle,
} from '@/features/library/track-card';
import { TrackPicker } from '@/features/library/track-picker';
import { durationOf } from '@/features/library/track-words';
import { LoopPanel } from '@/features/loops/loop-panel';
import { SeamFacts } from '@/features/loops/seam-facts';
import type { LoopSlots } from '@/features/loops/slots';
import { EnginesButton } from '@/features/models/engines-button';
import { EnginesDialog } from '@/features/models/engines-dialog';
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
import { RegeneratePanel } from '@/features/regenerate/regenerate-panel';
import type { RegenerateSlots } from '@/features/regenerate/slots';
import { readSong } from '@/features/regenerate/song';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { LoopIcon, PlanIcon, RegenerateIcon, VariationIcon } from '@/ui/icons';
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
  const { engines } = useEngines();
  const [jobSlots, trackSlots] = useMemo(() => compose(deck, engines), [deck, engines]);
  /** The engine that the panel of engines is open for, "" for none of them; null: it is closed. */
  const [opened, setOpened] = useState<string | null>(null);
  const createSlots = useMemo<CreateSlots>(
    () => ({
      openEngines: setOpened,
      trackPicker: (trackId, onChoose) => <TrackPicker trackId={trackId} onChoose={onChoose} />,
    }),
    [],
  );
  return (
    <>
      <Layout
        tools={<EnginesButton onOpen={() => setOpened('')} />}
        make={<CreateForm slots={createSlots} onAccepted={showBench} />}
      >
        <JobList slots={jobSlots} />
        <LibraryList slots={trackSlots} />
      </Layout>
      {opened !== null && <EnginesDialog engine={opened} onClose={() => setOpened(null)} />}
    </>
  );
}

/** Where the form fills the screen, the new card would come up out of sight. */
function showBench(): void {
  if (window.matchMedia('(min-width: 64rem)').matches) return;
  document.getElementById('bench')?.scrollIntoView({ behavior: 'smooth' });
}

function compose(deck: Deck, engines: readonly Engine[]): [JobSlots, TrackSlots] {
  const playFrom = (track: Track, seconds: number) =>
    deck.play(tapeOfTrack(track, durationOf(track)), seconds);
  const plans: PlanSlots = {
    needle: (track, seconds) => <TapeNeedle tapeId={track.trackId} seconds={seconds} />,
    playFrom,
    showJob,
  };
  const loops: LoopSlots = {
    picture: (track, from, to) => <CycleWave peaksUrl={track.peaksPath} from={from} to={to} />,
    play: ({ clipId, ...clip }) => (
      <PlayButton tape={wholeTape({ ...clip, tapeId: clipId, artist: '' })} testId="seam-play" />
    ),
  };
  const regenerate: RegenerateSlots = {
    picture: (track, from, to, onMark) => (
      <CycleWave peaksUrl={track.peaksPath} from={from} to={to} onMark={onMark} />
    ),
    positionSeconds: (track) =>
      deck.state.tapeId === track.trackId ? deck.state.positionSeconds : undefined,
    playFrom,
  };
  const tracks: TrackSlots = {
    player: (track, seconds) => (
      <Player tape={tapeOfTrack(track, seconds)} peaksUrl={track.peaksPath} />
    ),
    playButton: (track, seconds) => <PlayButton tape={tapeOfTrack(track, seconds)} />,
    facts: (track) => <SeamFacts track={track} />,
    panels: (track) => [
      ...planPanels(track, plans),
      ...regeneratePanels(track, engines, regenerate),
      loopPanel(track, loops),
    ],
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

/** What a track offers if the engine that made it can make parts of it anew. */
function regeneratePanels(
  track: Track,
  engines: readonly Engine[],
  slots: RegenerateSlots,
): TrackPanel[] {
  const song = readSong(track);
  const engine = engines.find(({ manifest }) => manifest?.name === song?.engine)?.manifest;
  if (song === null || engine?.supportsEdit !== true) return [];
  return [
    {
      name: 'regenerate',
      label: 'Regenerate a part',
      icon: <RegenerateIcon />,
      body: (close) => (
        <RegeneratePanel
          track={track}
          song={song}
          engine={engine}
          lengthSeconds={durationOf(track)}
          slots={slots}
          onDone={close}
        />
      ),
    },
  ];
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
