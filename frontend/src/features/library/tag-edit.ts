import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type ApiError, localFieldError } from '@/api/errors';
import {
  type UpdateTrackRequest,
  UpdateTrackRequestSchema,
} from '@/gen/musicgen/api/library/v1/library_service_pb';
import type { Track, TrackSchema } from '@/gen/musicgen/api/library/v1/track_pb';

/** The tags as typed. */
export interface TagDraft {
  readonly title: string;
  readonly artist: string;
  readonly album: string;
  readonly genre: string;
  readonly year: string;
  /** Separated by commas. */
  readonly tags: string;
}

export function draftOf(track: Track): TagDraft {
  const { title, artist, album, genre, year, tags } = track;
  return { title, artist, album, genre, year: year?.toString() ?? '', tags: tags.join(', ') };
}

/** The fields of a draft that say something else than the track. */
export function typedOver(track: Track, draft: TagDraft): Partial<TagDraft> {
  const old = draftOf(track);
  return Object.fromEntries(
    (Object.keys(old) as (keyof TagDraft)[])
      .filter((field) => draft[field] !== old[field])
      .map((field) => [field, draft[field]]),
  );
}

export type Edit =
  | { readonly request: UpdateTrackRequest }
  | { readonly error: ApiError }
  | { readonly nothing: true };

/** The edit that makes a track say what was typed: only the fields that differ are sent. */
export function buildEdit(track: Track, draft: TagDraft): Edit {
  const fields = Object.keys(typedOver(track, draft));
  if (fields.length === 0) return { nothing: true };
  const year = draft.year.trim();
  if (fields.includes('year') && year !== '' && !/^-?\d{1,9}$/.test(year)) {
    return {
      error: localFieldError(
        'year',
        'The year is not a whole number.',
        'Write a year such as 2026, or leave it empty.',
      ),
    };
  }
  const changed: MessageInitShape<typeof TrackSchema> = {
    trackId: track.trackId,
    etag: track.etag,
    title: draft.title,
    artist: draft.artist,
    album: draft.album,
    genre: draft.genre,
    tags: splitTags(draft.tags),
    ...(year === '' ? {} : { year: Number(year) }),
  };
  return {
    request: create(UpdateTrackRequestSchema, { track: changed, updateMask: { paths: fields } }),
  };
}

function splitTags(text: string): string[] {
  return text
    .split(',')
    .map((tag) => tag.trim())
    .filter((tag) => tag !== '');
}
