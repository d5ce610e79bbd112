import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { keyName, tonicName } from './music';
import { isObject, LOOPS, type Loop, type Part, type Plan, type Section, words } from './plan';

/** Names of what a plan holds, for people. */

const PART_NAMES: Readonly<Record<Part, string>> = {
  drums: 'Drums',
  bass: 'Bass',
  chords: 'Chords',
  pad: 'Pad',
  arp: 'Arpeggio',
  lead: 'Melody',
};

const KIND_NAMES: Readonly<Record<string, string>> = {
  intro: 'Intro',
  A: 'Verse',
  build: 'Build-up',
  B: 'Chorus',
  C: 'Bridge',
  break: 'Break',
  outro: 'Outro',
};

/** Where there is no room for a name. */
const KIND_MARKS: Readonly<Record<string, string>> = {
  intro: 'In',
  A: 'V',
  build: 'Up',
  B: 'Ch',
  C: 'Br',
  break: 'Bk',
  outro: 'Out',
};

export const LOOP_NAMES: Readonly<Record<Loop, string>> = {
  A: 'Verse',
  B: 'Chorus',
  C: 'Bridge',
};

const LOOP_OF_KIND: Readonly<Record<string, Loop>> = { B: 'B', C: 'C', break: 'C' };

const OTHER_NAMES: Readonly<Record<string, string>> = {
  amen: 'Breakbeat',
  boombap: 'Boom bap',
  dnb_roll: 'Drum and bass roll',
  eight08: '808',
  four_floor: 'Four on the floor',
  four_floor_shuffle: 'Four on the floor, shuffled',
  hiphop: 'Hip hop',
  house_roll: 'House',
  lofi: 'Lo-fi',
  laidback: 'Laid back',
  root_fifth: 'Root and fifth',
  updown: 'Up and down',
};

export function partName(part: string): string {
  return (PART_NAMES as Readonly<Record<string, string>>)[part] ?? plain(part);
}

export function kindName(kind: string): string {
  return KIND_NAMES[kind] ?? plain(kind);
}

export function kindMark(kind: string): string {
  return KIND_MARKS[kind] ?? plain(kind).charAt(0);
}

/** Which loop of chords a section plays. */
export function loopOfSection(section: Section): Loop {
  return LOOP_OF_KIND[section.kind] ?? 'A';
}

/** The loops of chords that this piece's sections play. */
export function loopsPlayed(plan: Plan): Loop[] {
  return LOOPS.filter((loop) => plan.sections.some((section) => loopOfSection(section) === loop));
}

/** "Verse 2": a section by its kind and how often that came. */
export function sectionName(sections: readonly Section[], index: number): string {
  const kind = sections[index]?.kind ?? '';
  const same = sections.filter((section) => section.kind === kind).length;
  if (same < 2) return kindName(kind);
  const nth = sections.slice(0, index + 1).filter((section) => section.kind === kind).length;
  return `${kindName(kind)} ${nth}`;
}

/** "electric_piano" → "Electric piano". */
export function plain(name: string): string {
  const known = OTHER_NAMES[name];
  if (known !== undefined) return known;
  const spaced = name.replaceAll('_', ' ');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function barWords(bars: number): string {
  return bars === 1 ? '1 bar' : `${bars} bars`;
}

/** What was taken out of a prompt, each in a word or two. */
export function understoodWords(understood: JsonObject): string[] {
  const said: string[] = [];
  const add = (text: string) => said.includes(text) || said.push(text);
  const all = (name: string) => words(understood[name]).map((word) => word.replaceAll('_', ' '));
  const bpm = understood.tempo_bpm ?? understood.tempo_word_bpm;
  if (typeof bpm === 'number') {
    add(understood.tempo_bpm === undefined ? `around ${bpm} bpm` : `${bpm} bpm`);
  }
  const key = keyWords(understood.tonic, understood.mode);
  if (key !== '') add(key);
  if (typeof understood.metre === 'string') add(understood.metre);
  if (isObject(understood.genres)) {
    for (const genre of Object.keys(understood.genres)) add(genre.replaceAll('_', ' '));
  }
  for (const mood of all('moods')) add(mood);
  for (const instrument of all('instruments')) add(instrument);
  for (const part of words(understood.with_parts)) add(`with ${partName(part).toLowerCase()}`);
  for (const name of all('without')) add(`no ${name}`);
  if (understood.solo === true) add('solo');
  for (const texture of all('textures')) add(texture);
  for (const texture of all('without_textures')) add(`no ${texture}`);
  for (const name of ['era', 'curve']) {
    const word = understood[name];
    if (typeof word === 'string') add(word);
  }
  if (typeof understood.length_s === 'number') add(`${understood.length_s} s`);
  return said;
}

/** Words that were taken for typing errors: "drms as drums". */
export function correctedWords(understood: JsonObject): string[] {
  const { corrected } = understood;
  if (!isObject(corrected)) return [];
  return Object.entries(corrected).map(([typed, read]) => `“${typed}” as ${String(read)}`);
}

function keyWords(tonic: JsonValue | undefined, mode: JsonValue | undefined): string {
  const named = typeof mode === 'string' ? mode : '';
  if (typeof tonic !== 'number') return named;
  return named === '' ? `in ${tonicName(tonic, '')}` : keyName(tonic, named);
}
