/** What is typed in the form, as typed: nothing is corrected on the way. */
export interface Draft {
  readonly prompt: string;
  readonly lyrics: string;
  readonly length: string;
  readonly lengthUnit: LengthUnit;
  /** Empty: the studio draws one. */
  readonly seed: string;
  /** Empty: the studio's default. */
  readonly engine: string;
  /** The engine's own options that were set; the others are left to the engine. */
  readonly options: Readonly<Record<string, OptionValue>>;
  /** What the style is taken from, where an engine takes it from music too. */
  readonly styleFrom: StyleFrom;
  /** The track whose style is meant; empty: none was chosen. */
  readonly styleTrackId: string;
  /** The file whose style is meant, once the studio has it. */
  readonly styleFile: StyleFile | null;
}

/** A file that was uploaded. */
export interface StyleFile {
  readonly uploadId: string;
  readonly name: string;
  readonly sizeBytes: number;
}

export type OptionValue = string | number | boolean | readonly string[];
export type LengthUnit = 's' | 'min';
export type StyleFrom = 'prompt' | 'track' | 'file';

export const EMPTY_DRAFT: Draft = {
  prompt: '',
  lyrics: '',
  length: '60',
  lengthUnit: 's',
  seed: '',
  engine: '',
  options: {},
  styleFrom: 'prompt',
  styleTrackId: '',
  styleFile: null,
};

const KEY = 'musicgen.draft';

/** The draft of the last visit. */
export function loadDraft(storage: Storage = localStorage): Draft {
  try {
    const kept: unknown = JSON.parse(storage.getItem(KEY) ?? '{}');
    return { ...EMPTY_DRAFT, ...(kept as Partial<Draft>) };
  } catch {
    return EMPTY_DRAFT; // storage is off, or holds something else's data
  }
}

export function keepDraft(draft: Draft, storage: Storage = localStorage): void {
  try {
    storage.setItem(KEY, JSON.stringify(draft));
  } catch {
    // A full or forbidden storage costs the draft, nothing else.
  }
}
