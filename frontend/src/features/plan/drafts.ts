import type { Plan } from './plan';

/** A plan that is being edited, and what it was before. */
export interface Begun {
  readonly plan: Plan;
  readonly original: Plan;
}

/**
 * Edits of plans that were begun, by track: neither closing the form nor another look at the
 * library loses them. They go with their track.
 */
export class PlanDrafts {
  readonly #begun = new Map<string, Begun>();

  has(trackId: string): boolean {
    return this.#begun.has(trackId);
  }

  /** The edits of a track, on top of what it is now called; undefined if there are none. */
  get(trackId: string, original: Plan): Plan | undefined {
    const begun = this.#begun.get(trackId);
    if (begun === undefined) return undefined;
    // Whoever didn't touch the title has the track's, also if that was changed since.
    const untouched = begun.plan.title === begun.original.title;
    return untouched ? { ...begun.plan, title: original.title } : begun.plan;
  }

  keep(trackId: string, begun: Begun): void {
    this.#begun.set(trackId, begun);
  }

  drop(trackId: string): void {
    this.#begun.delete(trackId);
  }

  /** Drops the edits of tracks that are gone. */
  dropGone(isGone: (trackId: string) => boolean): void {
    for (const trackId of [...this.#begun.keys()]) if (isGone(trackId)) this.drop(trackId);
  }
}
