/** The little of music theory that a plan needs to be read: names of keys and chords, metres. */

const PITCHES = ['C', 'C#', 'D', 'Eb', 'E', 'F', 'F#', 'G', 'Ab', 'A', 'Bb', 'B'] as const;

/** Semitones above the tonic of the seven steps of each mode. */
const SCALES: Readonly<Record<string, readonly number[]>> = {
  major: [0, 2, 4, 5, 7, 9, 11],
  minor: [0, 2, 3, 5, 7, 8, 10],
  dorian: [0, 2, 3, 5, 7, 9, 10],
  phrygian: [0, 1, 3, 5, 7, 8, 10],
  lydian: [0, 2, 4, 6, 7, 9, 11],
  mixolydian: [0, 2, 4, 5, 7, 9, 10],
};

export const MODES = Object.keys(SCALES);
export const TONICS = PITCHES.map((_, tonic) => tonic);

/** A pitch class as the root of a minor or a major chord is usually written. */
export function pitchName(pitch: number, dark: boolean): string {
  if (pitch === 1 && !dark) return 'Db';
  return pitch === 8 && dark ? 'G#' : (PITCHES[pitch] ?? '?');
}

/** "A", as the tonic of a mode. */
export function tonicName(tonic: number, mode: string): string {
  return pitchName(tonic, SCALES[mode]?.[2] === 3);
}

/** "A minor". */
export function keyName(tonic: number, mode: string): string {
  return `${tonicName(tonic, mode)} ${mode}`;
}

/**
 * The name of the chord on a degree (1 to 7) of a key: "Am7". `tones` are thirds stacked on
 * it, `raised` makes the first one major. Empty for a mode that is not known here.
 */
export function chordName(
  degree: number,
  key: { readonly tonic: number; readonly mode: string },
  tones: number,
  raised: boolean,
): string {
  const scale = SCALES[key.mode];
  if (scale === undefined) return '';
  const pitches = Array.from({ length: tones }, (_, third) => {
    return (key.tonic + (scale[(degree - 1 + 2 * third) % 7] ?? 0)) % 12;
  });
  const root = pitches[0] ?? 0;
  const above = pitches.map((pitch) => (pitch - root + 12) % 12);
  if (raised) above[1] = 4;
  // A minor ninth grates, and a diminished chord gets none.
  if (above.length > 4 && above[4] === 1) above.pop();
  if (above.length > 3 && above[2] === 6 && !raised) above.splice(4);
  const minor = above[1] === 3;
  const quality = minor ? (above[2] === 6 ? 'dim' : 'm') : '';
  const extension = above.length > 4 ? '9' : '7';
  const added = above.length > 3 ? `${above[3] === 11 ? 'maj' : ''}${extension}` : '';
  return pitchName(root, minor) + quality + added;
}

export interface Metre {
  /** Beats of the tempo in a bar: quarters, or dotted quarters in compound metres. */
  readonly beats: number;
  /** Whether a bar is a whole number of plain quarters: only then can it swing. */
  readonly even: boolean;
}

/** A metre by its name, such as "4/4" or "6/8". */
export function metreOf(name: string): Metre {
  const [upper = 4, lower = 4] = name.split('/').map(Number);
  if (!(upper > 0) || !(lower > 0)) return { beats: 4, even: true };
  if (lower === 8 && upper % 3 === 0) return { beats: upper / 3, even: false };
  const beats = (upper * 4) / lower;
  return { beats, even: Number.isInteger(beats) };
}
