import type { ReactNode } from 'react';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';

/** A file of the gateway that can be heard. */
export interface Clip {
  readonly clipId: string;
  readonly title: string;
  readonly src: string;
  readonly durationSeconds: number;
}

/** What other features put into the loops; the app passes them in. */
export interface LoopSlots {
  /** A track's waveform, lit from one share of its length to another. */
  readonly picture: (track: Track, from: number, to: number) => ReactNode;
  /** A button that plays a clip. */
  readonly play: (clip: Clip) => ReactNode;
}
