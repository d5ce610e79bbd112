import { metreOf } from './music';
import { isPart, type Loop, PARTS, type Part, type Plan, type Section } from './plan';

/** The edits that a plan can take. Each returns another plan; nothing is judged here. */

/** In an uneven metre there is no swing; back in an even one it is as it was before. */
export function withMetre(plan: Plan, metre: string, usualSwing: number): Plan {
  const swing = metreOf(plan.metre).even ? plan.swing : usualSwing;
  return { ...plan, metre, swing: metreOf(metre).even ? swing : 0 };
}

/**
 * Makes the whole piece stronger or softer. How strong each section is was decided from the
 * energy of the piece, in this proportion.
 */
export function withEnergy(plan: Plan, energy: number): Plan {
  const factor = (0.55 + 0.6 * energy) / (0.55 + 0.6 * plan.energy);
  const sections = plan.sections.map((section) => ({
    ...section,
    energy: Math.min(1, Math.round(section.energy * factor * 1_000) / 1_000),
  }));
  return Number.isFinite(factor) ? { ...plan, energy, sections } : { ...plan, energy };
}

/** Which kind of pattern a part needs, and one that suits most music. */
export const PATTERN_OF: Readonly<Partial<Record<Part, { style: string; usual: string }>>> = {
  drums: { style: 'groove', usual: 'pop' },
  bass: { style: 'bass', usual: 'roots' },
  chords: { style: 'comping', usual: 'block' },
  arp: { style: 'arp', usual: 'up' },
};

/**
 * Lets a part play, or play something else. A part that is new plays in all sections, by this
 * pattern if the plan has none for it.
 */
export function withInstrument(
  plan: Plan,
  part: Part,
  instrument: string,
  pattern = PATTERN_OF[part]?.usual ?? '',
): Plan {
  const parts = ordered({ ...plan.parts, [part]: instrument });
  if (part in plan.parts) return { ...plan, parts };
  const style = PATTERN_OF[part]?.style;
  const styles =
    style === undefined || style in plan.styles
      ? plan.styles
      : { ...plan.styles, [style]: pattern };
  const sections = plan.sections.map((section) => ({
    ...section,
    parts: inOrder([...section.parts, part]),
  }));
  return { ...plan, parts, styles, sections };
}

/** Brings a part back as another plan has it; null if that doesn't fit these sections. */
export function withPartOf(plan: Plan, part: Part, other: Plan): Plan | null {
  const instrument = other.parts[part];
  const same =
    other.sections.length === plan.sections.length &&
    other.sections.every((section, index) => section.kind === plan.sections[index]?.kind);
  if (instrument === undefined || !same) return null;
  const added = withInstrument(plan, part, instrument);
  const sections = plan.sections.map((section, index) => {
    const before = other.sections[index];
    return {
      ...section,
      parts: before?.parts.includes(part) ? inOrder([...section.parts, part]) : section.parts,
      late: before?.late.includes(part) ? inOrder([...section.late, part]) : section.late,
    };
  });
  return { ...added, sections };
}

export function withoutPart(plan: Plan, part: Part): Plan {
  const { [part]: _gone, ...parts } = plan.parts;
  const sections = plan.sections.map((section) => ({
    ...section,
    parts: section.parts.filter((name) => name !== part),
    late: section.late.filter((name) => name !== part),
  }));
  return { ...plan, parts, sections };
}

export function withSection(plan: Plan, index: number, change: Partial<Section>): Plan {
  const sections = plan.sections.map((section, at) =>
    at === index ? { ...section, ...change } : section,
  );
  return { ...plan, sections };
}

/** A part of a section rests, plays, or enters in the middle of it. */
export type Playing = 'rests' | 'plays' | 'enters';

export function playingOf(section: Section, part: string): Playing {
  if (!section.parts.includes(part)) return 'rests';
  return section.late.includes(part) ? 'enters' : 'plays';
}

export function withPlaying(plan: Plan, index: number, part: Part, playing: Playing): Plan {
  const section = plan.sections[index];
  if (section === undefined) return plan;
  const without = (names: readonly string[]) => names.filter((name) => name !== part);
  return withSection(plan, index, {
    parts: playing === 'rests' ? without(section.parts) : inOrder([...section.parts, part]),
    late: playing === 'enters' ? inOrder([...section.late, part]) : without(section.late),
  });
}

/** Moves a section by so many places. */
export function withMoved(plan: Plan, index: number, by: number): Plan {
  const target = index + by;
  const section = plan.sections[index];
  if (section === undefined || target < 0 || target >= plan.sections.length) return plan;
  const sections = plan.sections.filter((_, at) => at !== index);
  sections.splice(target, 0, section);
  return { ...plan, sections };
}

export function withDuplicate(plan: Plan, index: number): Plan {
  const sections = plan.sections.flatMap((section, at) =>
    at === index ? [section, section] : [section],
  );
  return { ...plan, sections };
}

/** The last section stays: a piece has at least one. */
export function withoutSection(plan: Plan, index: number): Plan {
  if (plan.sections.length === 1) return plan;
  return { ...plan, sections: plan.sections.filter((_, at) => at !== index) };
}

/** Another chord in a loop, in the key's own colour. */
export function withDegree(plan: Plan, loop: Loop, index: number, degree: number): Plan {
  const before = plan.progressions[loop];
  const progression = {
    ...before,
    degrees: before.degrees.map((old, at) => (at === index ? degree : old)),
    raised: before.raised.map((old, at) => (at === index ? false : old)),
  };
  return { ...plan, progressions: { ...plan.progressions, [loop]: progression } };
}

function inOrder(names: readonly string[]): string[] {
  return PARTS.filter((part) => names.includes(part));
}

function ordered(parts: Readonly<Record<string, string>>): Record<string, string> {
  const place = (name: string) => (isPart(name) ? PARTS.indexOf(name) : PARTS.length);
  const entries = Object.entries(parts).sort(([one], [other]) => place(one) - place(other));
  return Object.fromEntries(entries);
}
