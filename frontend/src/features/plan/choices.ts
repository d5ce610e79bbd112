import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { isObject, PARTS, type Part, type Plan, words } from './plan';

/** A layer of a piece that a seed of its own can make anew. */
export interface Layer {
  readonly name: string;
  /** What its seed decides, in the engine's words. */
  readonly decides: string;
}

/**
 * What the composer of this studio can take: all of it is read from its manifest. Where that
 * says nothing, only what the plan has already is on offer.
 */
export interface Choices {
  readonly version: string;
  /** Part → what can play it: kits for the drums, instruments for the others. */
  readonly instruments: Readonly<Record<Part, readonly string[]>>;
  /** Style of a plan, such as "groove" → the patterns it can be. */
  readonly patterns: Readonly<Record<string, readonly string[]>>;
  readonly kinds: readonly string[];
  /** Beds of sound; none is no bed and not among them. */
  readonly textures: readonly string[];
  readonly modes: readonly string[];
  readonly metres: readonly string[];
  readonly tempo: Range;
  readonly swing: Range;
  readonly lengthSeconds: Range;
  readonly layers: readonly Layer[];
}

export interface Range {
  readonly min: number;
  readonly max: number;
}

const ANY: Range = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };
const SHARE: Range = { min: 0, max: 1 };
const USUAL_LENGTH: Range = { min: 5, max: 600 };

/** Reads the choices from an engine's manifest. */
export function readChoices(engine: Engine | undefined): Choices {
  const manifest = engine?.manifest;
  const options = propertiesOf(manifest?.optionsSchema);
  const plan = propertiesOf(options.plan);
  const parts = propertiesOf(plan.parts);
  const section = propertiesOf(objectOf(plan.sections).items);
  return {
    version: manifest?.version ?? '',
    instruments: Object.fromEntries(
      PARTS.map((part) => [part, choicesOf(parts[part])]),
    ) as unknown as Choices['instruments'],
    patterns: Object.fromEntries(
      Object.entries(propertiesOf(plan.styles)).map(([style, schema]) => [
        style,
        choicesOf(schema),
      ]),
    ),
    kinds: choicesOf(section.kind),
    textures: choicesOf(plan.texture).filter((texture) => texture !== ''),
    modes: choicesOf(plan.mode),
    metres: choicesOf(plan.metre),
    tempo: rangeOf(plan.tempo_bpm, ANY),
    swing: rangeOf(plan.swing, SHARE),
    lengthSeconds: {
      min: manifest?.minDurationSeconds || USUAL_LENGTH.min,
      max: manifest?.maxDurationSeconds || USUAL_LENGTH.max,
    },
    layers: Object.entries(propertiesOf(options.seeds)).map(([name, schema]) => ({
      name,
      decides: decides(objectOf(schema).description),
    })),
  };
}

/** What can play a part: also what the plan has already, whether it is listed or not. */
export function instrumentsFor(part: Part, choices: Choices, plan: Plan): string[] {
  return withPresent(choices.instruments[part], plan.parts[part]);
}

/** The list, and what is chosen now if it is not in it. */
export function withPresent(listed: readonly string[], present: string | undefined): string[] {
  const missing = present === undefined || present === '' || listed.includes(present);
  return missing ? [...listed] : [present, ...listed];
}

/** What suits best if the list has it, else the first that it has. */
export function bestOf(listed: readonly string[], best: string): string | undefined {
  return listed.includes(best) ? best : listed[0];
}

/** "Decides the melody and its touch." → "The melody and its touch." */
function decides(description: unknown): string {
  if (typeof description !== 'string') return '';
  const said = description.replace(/^Decides /, '');
  return said.charAt(0).toUpperCase() + said.slice(1);
}

function choicesOf(schema: JsonValue | undefined): string[] {
  return words(objectOf(schema).enum);
}

function rangeOf(schema: JsonValue | undefined, otherwise: Range): Range {
  const { minimum, maximum } = objectOf(schema);
  return {
    min: typeof minimum === 'number' ? minimum : otherwise.min,
    max: typeof maximum === 'number' ? maximum : otherwise.max,
  };
}

function propertiesOf(schema: JsonValue | undefined): JsonObject {
  return objectOf(objectOf(schema).properties);
}

function objectOf(value: JsonValue | undefined): JsonObject {
  return isObject(value) ? value : {};
}
