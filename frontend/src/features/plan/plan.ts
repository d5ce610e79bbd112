import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { chordName, keyName, metreOf } from './music';

/** Every part a piece can have, from the ground up. */
export const PARTS = ['drums', 'bass', 'chords', 'pad', 'arp', 'lead'] as const;
/** The chords of verse, chorus and bridge. */
export const LOOPS = ['A', 'B', 'C'] as const;

export type Part = (typeof PARTS)[number];
export type Loop = (typeof LOOPS)[number];

/**
 * A plan of the composer, under the names that its JSON has. What this page doesn't know
 * of a plan stays in it.
 */
export interface Plan {
  readonly title: string;
  readonly family: string;
  readonly tempo_bpm: number;
  readonly tonic: number;
  readonly mode: string;
  readonly metre: string;
  readonly swing: number;
  readonly energy: number;
  /** Part → instrument. */
  readonly parts: Readonly<Record<string, string>>;
  /** "groove", "bass", "comping", "arp" → the pattern it plays. */
  readonly styles: Readonly<Record<string, string>>;
  readonly texture: string;
  /** Frames after the last bar; negative where the piece is cut within it. */
  readonly ring_frames: number;
  readonly sections: readonly Section[];
  readonly progressions: Readonly<Record<Loop, Progression>>;
  readonly loop: boolean;
}

export interface Section {
  readonly kind: string;
  readonly bars: number;
  readonly energy: number;
  readonly parts: readonly string[];
  /** Those of the parts that enter in the middle of the section. */
  readonly late: readonly string[];
}

export interface Progression {
  /** 1 to 7; 1 is the tonic. */
  readonly degrees: readonly number[];
  readonly raised: readonly boolean[];
  readonly tones: number;
}

export const FRAMES_PER_SECOND = 44_100;

/** Reads a plan; null for what is none, or lacks what a piece can't be made without. */
export function readPlan(value: JsonValue | undefined): Plan | null {
  if (!isObject(value)) return null;
  const sections = list(value.sections)?.map(readSection);
  const progressions = isObject(value.progressions) ? value.progressions : {};
  const read = LOOPS.map((loop) => [loop, readProgression(progressions[loop])] as const);
  const numbers = ['tempo_bpm', 'tonic', 'swing', 'energy', 'ring_frames'];
  const texts = ['title', 'family', 'mode', 'metre', 'texture'];
  if (
    sections === undefined ||
    sections.length === 0 ||
    sections.includes(null) ||
    read.some(([, progression]) => progression === null) ||
    !numbers.every((name) => typeof value[name] === 'number') ||
    !texts.every((name) => typeof value[name] === 'string') ||
    !(typeof value.tempo_bpm === 'number' && value.tempo_bpm > 0) ||
    Object.keys(textsOf(value.parts)).length === 0
  ) {
    return null;
  }
  return {
    ...value,
    parts: textsOf(value.parts),
    styles: textsOf(value.styles),
    loop: value.loop === true,
    sections,
    progressions: Object.fromEntries(read),
  } as unknown as Plan; // each field was looked at above
}

function readSection(value: JsonValue): Section | null {
  if (!isObject(value) || typeof value.kind !== 'string') return null;
  if (typeof value.bars !== 'number' || typeof value.energy !== 'number') return null;
  const { start_bar: _start, repeat: _repeat, ...kept } = value; // they follow from the order
  return {
    ...kept,
    kind: value.kind,
    bars: value.bars,
    energy: value.energy,
    parts: words(value.parts),
    late: words(value.late),
  };
}

function readProgression(value: JsonValue | undefined): Progression | null {
  if (!isObject(value)) return null;
  const degrees = (list(value.degrees) ?? []).filter((degree) => typeof degree === 'number');
  const raised = (list(value.raised) ?? []).map((flag) => flag === true);
  if (degrees.length === 0) return null;
  return {
    degrees,
    raised: degrees.map((_, index) => raised[index] === true),
    tones: typeof value.tones === 'number' ? value.tones : 3,
  };
}

/** The plan as the composer writes it, with what follows from the rest filled in. */
export function planToJson(plan: Plan): JsonObject {
  let start_bar = 0;
  const heard = new Map<string, number>();
  const sections = plan.sections.map((section) => {
    const repeat = heard.get(section.kind) ?? 0;
    heard.set(section.kind, repeat + 1);
    const placed = { ...section, start_bar, repeat };
    start_bar += section.bars;
    return placed;
  });
  const progressions = Object.fromEntries(
    LOOPS.map((loop) => [loop, { ...plan.progressions[loop], chords: chordsOf(plan, loop) }]),
  );
  const told = {
    ...plan,
    sections,
    progressions,
    key: keyName(plan.tonic, plan.mode),
    bars: barsOf(plan),
    duration_s: Math.round(secondsOf(plan) * 1e4) / 1e4,
  };
  return JSON.parse(JSON.stringify(told)) as JsonObject;
}

/** The names of the chords of a loop. */
export function chordsOf(plan: Plan, loop: Loop): string[] {
  const { degrees, raised, tones } = plan.progressions[loop];
  return degrees.map((degree, index) => chordName(degree, plan, tones, raised[index] === true));
}

export function barsOf(plan: Plan): number {
  return plan.sections.reduce((bars, section) => bars + section.bars, 0);
}

/** Seconds that a number of bars lasts. */
export function barSeconds(plan: Plan, bars: number): number {
  return (bars * metreOf(plan.metre).beats * 60) / plan.tempo_bpm;
}

/** How long the piece will be: its bars, and the last chord ringing out. */
export function secondsOf(plan: Plan): number {
  const bars = Math.round(barSeconds(plan, barsOf(plan)) * FRAMES_PER_SECOND);
  return (bars + plan.ring_frames) / FRAMES_PER_SECOND;
}

/** Whether two plans say the same. */
export function samePlan(one: Plan, other: Plan): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

export function isPart(name: string): name is Part {
  return (PARTS as readonly string[]).includes(name);
}

/** The parts that play, in their order. */
export function partsOf(plan: Plan): Part[] {
  return PARTS.filter((part) => part in plan.parts);
}

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function list(value: JsonValue | undefined): JsonValue[] | undefined {
  return Array.isArray(value) ? value : undefined;
}

/** The texts of a list; nothing for what is no list. */
export function words(value: JsonValue | undefined): string[] {
  return (list(value) ?? []).filter((item) => typeof item === 'string');
}

function textsOf(value: JsonValue | undefined): Record<string, string> {
  const entries = Object.entries(isObject(value) ? value : {});
  return Object.fromEntries(entries.filter(([, text]) => typeof text === 'string')) as Record<
    string,
    string
  >;
}
