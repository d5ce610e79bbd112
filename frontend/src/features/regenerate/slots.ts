import type { ReactNode } from 'react';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';

/** What other features put into the panel; the app passes them in. */
export interface RegenerateSlots {
  /** A track's waveform, lit from one share of its length to another, where a part is marked. */
  readonly picture: (
    track: Track,
    from: number,
    to: number,
    onMark: (from: number, to: number) => void,
  ) => ReactNode;
  /** Where the player stands in a track; undefined while another one is on. */
  readonly positionSeconds: (track: Track) => number | undefined;
  readonly playFrom: (track: Track, seconds: number) => void;
}
