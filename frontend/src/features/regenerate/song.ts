import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { type AudioRef, AudioRefSchema } from '@/gen/musicgen/api/audio/v1/audio_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';

/** What a track's recipe says of how an engine made it. */
export interface Song {
  readonly engine: string;
  readonly prompt: string;
  /** With the time of each line, where the engine told that. */
  readonly lyrics: string;
  readonly durationSeconds: number;
  readonly options: JsonObject;
  /** Music that the style was taken from, instead of from the prompt. */
  readonly styleAudio: AudioRef | undefined;
}

/** Reads a track's recipe; null if no engine made it. */
export function readSong(track: Track): Song | null {
  const { recipe } = track;
  if (recipe === undefined || typeof recipe.engine !== 'string') return null;
  const decisions = isObject(recipe.decisions) ? recipe.decisions : {};
  return {
    engine: recipe.engine,
    prompt: textOf(recipe.prompt),
    lyrics: textOf(decisions.lyrics) || textOf(recipe.lyrics),
    durationSeconds: typeof recipe.duration_seconds === 'number' ? recipe.duration_seconds : 0,
    options: isObject(recipe.options) ? recipe.options : {},
    styleAudio: isObject(recipe.style_audio) ? readRef(recipe.style_audio.reference) : undefined,
  };
}

function readRef(value: JsonValue | undefined): AudioRef | undefined {
  if (!isObject(value)) return undefined;
  try {
    const reference = fromJson(AudioRefSchema, value);
    return reference.source.case === undefined ? undefined : reference;
  } catch {
    return undefined; // of a later version
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
