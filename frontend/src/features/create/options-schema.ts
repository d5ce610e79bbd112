import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { OptionValue } from './draft';

/** One option of an engine that a simple control can set. */
export interface EngineOption {
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly kind: 'number' | 'integer' | 'string' | 'boolean' | 'choice' | 'choices';
  readonly choices: readonly string[];
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  /** What the engine does when it is not set; undefined if it doesn't say. */
  readonly standard: OptionValue | undefined;
}

/** The options of a JSON Schema that are simple enough for a form; the rest is left out. */
export function readOptions(schema: JsonObject | undefined): EngineOption[] {
  const properties = schema?.properties;
  if (!isObject(properties)) return [];
  return Object.entries(properties).flatMap(([name, value]) => {
    const option = isObject(value) ? readOption(name, value) : null;
    return option === null ? [] : [option];
  });
}

function readOption(name: string, schema: JsonObject): EngineOption | null {
  const one = strings(schema.enum);
  const many = isObject(schema.items) ? strings(schema.items.enum) : [];
  const choices = one.length > 0 ? one : many;
  const kind = one.length > 0 ? 'choice' : many.length > 0 ? 'choices' : readKind(schema.type);
  if (kind === null) return null;
  const standard = schema.default;
  return {
    name,
    label: typeof schema.title === 'string' ? schema.title : words(name),
    hint: typeof schema.description === 'string' ? schema.description : '',
    kind,
    choices,
    minimum: typeof schema.minimum === 'number' ? schema.minimum : undefined,
    maximum: typeof schema.maximum === 'number' ? schema.maximum : undefined,
    standard: isSimple(standard) ? standard : undefined,
  };
}

function strings(value: JsonValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function readKind(type: JsonValue | undefined): 'number' | 'integer' | 'string' | 'boolean' | null {
  // ["integer", "null"] means: may be left out.
  const named = Array.isArray(type) ? type.find((one) => one !== 'null') : type;
  return named === 'number' || named === 'integer' || named === 'string' || named === 'boolean'
    ? named
    : null;
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSimple(value: JsonValue | undefined): value is string | number | boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** "tempo_bpm" → "Tempo bpm". */
function words(name: string): string {
  const spaced = name.replaceAll('_', ' ');
  return spaced.charAt(0).toUpperCase() + spaced.slice(1);
}
