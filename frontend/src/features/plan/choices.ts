import type { JsonObject } from '@bufbuild/protobuf';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { MODES } from './music';
import { isObject, type Part, type Plan, words } from './plan';

/** A layer of a piece that a seed of its own can make anew. */
export interface Layer {
  readonly name: string;
  /** What its seed decides, in the engine's words. */
  readonly decides: string;
}

/** What the composer of this studio can take. */
export interface Choices {
  readonly version: string;
  readonly instruments: readonly string[];
  readonly textures: readonly string[];
  readonly modes: readonly string[];
  readonly metres: readonly string[];
  readonly tempo: Range;
  readonly lengthSeconds: Range;
  readonly layers: readonly Layer[];
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * What a plan can say that no option of the engine lists. The engine judges: what it
 * doesn't know (any more) it refuses at its field.
 */
export const KITS: readonly string[] = [
  'acoustic',
  'chip',
  'cinematic',
  'hiphop',
  'house',
  'jazz',
  'lofi',
  'pop',
  'rock',
  'synthwave',
  'techno',
  'trap',
];

/** Style of a plan → the patterns it can be. */
export const PATTERNS: Readonly<Record<string, readonly string[]>> = {
  groove: [
    'amen',
    'boombap',
    'bossa',
    'bossa_clave',
    'chip',
    'chip_gallop',
    'drill',
    'dusty',
    'four_floor',
    'four_floor_shuffle',
    'funk',
    'gated',
    'gated_half',
    'pop',
    'ride',
    'ride_brush',
    'rock',
    'rock_drive',
    'shaker',
    'taiko',
    'taiko_march',
    'techno',
    'techno_rolling',
    'train',
    'trap',
    'two_step',
  ],
  bass: [
    'bossa',
    'dnb_roll',
    'eight08',
    'eighths',
    'funk',
    'gallop',
    'house_roll',
    'laidback',
    'octaves',
    'offbeat',
    'pedal',
    'pushed',
    'reese',
    'root_fifth',
    'roots',
    'rumble',
    'walking',
  ],
  comping: [
    'block',
    'bossa',
    'broken',
    'charleston',
    'fingerpick',
    'jazz',
    'lofi',
    'offbeat',
    'ostinato',
    'power',
    'pushes',
    'rolled',
    'stabs',
    'strum',
    'swell',
  ],
  arp: ['pulse', 'random', 'sparse', 'up', 'updown'],
};

const USUAL_TEMPO: Range = { min: 40, max: 220 };
const USUAL_LENGTH: Range = { min: 5, max: 600 };

/** Reads the choices from an engine's manifest; what it doesn't say is left to the usual. */
export function readChoices(engine: Engine | undefined): Choices {
  const manifest = engine?.manifest;
  const properties = objectOf(manifest?.optionsSchema?.properties);
  const option = (name: string) => objectOf(properties[name]);
  const tempo = option('tempo_bpm');
  const seeds = objectOf(option('seeds').properties);
  const modes = words(option('mode').enum);
  return {
    version: manifest?.version ?? '',
    instruments: words(objectOf(option('instruments').items).enum),
    textures: words(option('texture').enum).filter((texture) => texture !== 'none'),
    modes: modes.length > 0 ? modes : MODES,
    metres: words(option('metre').enum),
    tempo: {
      min: numberOf(tempo.minimum) ?? USUAL_TEMPO.min,
      max: numberOf(tempo.maximum) ?? USUAL_TEMPO.max,
    },
    lengthSeconds: {
      min: manifest?.minDurationSeconds || USUAL_LENGTH.min,
      max: manifest?.maxDurationSeconds || USUAL_LENGTH.max,
    },
    layers: Object.entries(seeds).map(([name, schema]) => ({
      name,
      decides: decides(objectOf(schema).description),
    })),
  };
}

/** What can play a part: also what the plan has already, whether it is listed or not. */
export function instrumentsFor(part: Part, choices: Choices, plan: Plan): string[] {
  const listed = part === 'drums' ? KITS : choices.instruments;
  return withPresent(listed, plan.parts[part]);
}

/** The list, and what is chosen now if it is not in it. */
export function withPresent(listed: readonly string[], present: string | undefined): string[] {
  const missing = present === undefined || present === '' || listed.includes(present);
  return missing ? [...listed] : [present, ...listed];
}

/** "Decides the melody and its touch." → "The melody and its touch." */
function decides(description: unknown): string {
  if (typeof description !== 'string') return '';
  const said = description.replace(/^Decides /, '');
  return said.charAt(0).toUpperCase() + said.slice(1);
}

function objectOf(value: unknown): JsonObject {
  return isObject(value as JsonObject | undefined) ? (value as JsonObject) : {};
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
