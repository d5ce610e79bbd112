import type { ReactNode } from 'react';

/** What other features put into the form; the app passes them in. */
export interface CreateSlots {
  /** Shows what an engine needs, to be set up there. */
  readonly openEngines: (engine: string) => void;
  /** Chooses a track of the library; "" is none. */
  readonly trackPicker: (trackId: string, onChoose: (trackId: string) => void) => ReactNode;
}
