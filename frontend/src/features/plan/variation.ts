import type { Choices, Layer } from './choices';
import { isPart, type Plan } from './plan';

/**
 * Which layers of a piece can be made anew while its plan stays, and what to call that. The
 * SDK's plans.py does the same; testing/variation-cases.json holds both to it.
 */

/** A plan that is given decides all that these would: their seeds change nothing. */
const DECIDED_BY_THE_PLAN: readonly string[] = ['plan', 'form', 'title'];

/** What another piece of the same kind keeps. */
const KEPT_BY_ANOTHER: readonly string[] = ['sound'];

const NAMES: Readonly<Record<string, string>> = {
  harmony: 'Harmony',
  drums: 'Drums',
  bass: 'Bass',
  chords: 'Chords',
  pad: 'Pad',
  arp: 'Arpeggio',
  lead: 'Melody',
  sound: 'Sounds',
  room: 'Room',
  texture: 'Background',
};

/** With a plan the engine's words promise too much. */
const DECIDES: Readonly<Record<string, string>> = {
  harmony: 'How the chords move on when a section comes back.',
};

export interface ChangeableLayer {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
}

/** The layers that sound in a piece of this plan and can be made anew. */
export function changeableLayers(choices: Choices, plan: Plan): ChangeableLayer[] {
  const sounds = ({ name }: Layer) => {
    if (DECIDED_BY_THE_PLAN.includes(name)) return false;
    if (name === 'texture') return plan.texture !== '';
    return !isPart(name) || name in plan.parts;
  };
  const order = Object.keys(NAMES);
  const place = (name: string) => (order.includes(name) ? order.indexOf(name) : order.length);
  return choices.layers
    .filter(sounds)
    .map(({ name, decides }) => ({
      name,
      label: NAMES[name] ?? name,
      hint: DECIDES[name] ?? decides,
    }))
    .sort((one, other) => place(one.name) - place(other.name) || (one.name < other.name ? -1 : 1));
}

export interface Preset {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly layers: readonly string[];
}

/** Wishes that people have, as far as this piece has what they change. */
export function presetsFor(layers: readonly ChangeableLayer[]): Preset[] {
  const there = (wanted: readonly string[]) =>
    wanted.filter((name) => layers.some((layer) => layer.name === name));
  const presets: Preset[] = [
    {
      name: 'melody',
      label: 'New melody',
      hint: 'Everybody else plays the same.',
      layers: there(['lead']),
    },
    {
      name: 'drums',
      label: 'New drums',
      hint: 'Other fills, another touch.',
      layers: there(['drums']),
    },
    {
      name: 'chords',
      label: 'New chords',
      hint: 'Another rhythm, other turns.',
      layers: there(['harmony', 'chords', 'pad']),
    },
    {
      name: 'another',
      label: 'Another one like it',
      hint: 'All notes new; plan and sounds stay.',
      layers: layers.map(({ name }) => name).filter((name) => !KEPT_BY_ANOTHER.includes(name)),
    },
  ];
  return presets.filter((preset) => preset.layers.length > 0);
}

/** A fresh seed for each layer. */
export function freshSeeds(
  layers: readonly string[],
  random: () => number = randomSeed,
): Record<string, number> {
  return Object.fromEntries(layers.map((layer) => [layer, random()]));
}

function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

const MAX_TITLE = 200;
const VARIED = / \((?:new |another take)[^()]*\)$/;

/** "Rainy Night (new melody 2)"; a variation of a variation gets no second suffix. */
export function variationTitle(
  title: string,
  layers: readonly ChangeableLayer[],
  chosen: readonly string[],
  count: number,
  nth: number,
): string {
  const labels = layers
    .filter(({ name }) => chosen.includes(name))
    .map(({ label }) => label.toLowerCase());
  const said = labels.length > 3 ? 'another take' : `new ${labels.join(', ')}`;
  const suffix = ` (${said}${count > 1 ? ` ${nth}` : ''})`;
  const letters = Array.from(title.replace(VARIED, '')); // no letter is cut in half
  const room = MAX_TITLE - Array.from(suffix).length;
  return letters.slice(0, room).join('').trimEnd() + suffix;
}
