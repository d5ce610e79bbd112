import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampNow } from '@bufbuild/protobuf/wkt';
import { Code, type ServiceImpl } from '@connectrpc/connect';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import type { LibraryService } from '@/gen/musicgen/api/library/v1/library_service_pb';
import { type Track, TrackSchema } from '@/gen/musicgen/api/library/v1/track_pb';
import { invalidField, studioError } from './memory-errors';

type NewTrack = Exclude<MessageInitShape<typeof TrackSchema>, Track> & { trackId: string };

/** A library in memory with the real one's rules for pages, masks and etags. */
export class MemoryLibrary {
  readonly #tracks = new Map<string, Track>();
  /** Calls of GetTrack that came, by track. */
  readonly gets: string[] = [];
  lists = 0;
  /** Whether it refuses to list, as while it starts. */
  down = false;

  /** Adds a track of so many seconds, newest so far. */
  add(part: NewTrack, seconds = 90): Track {
    const track = create(TrackSchema, {
      title: 'Rainy Night',
      audioPath: `/v1/tracks/${part.trackId}/audio`,
      peaksPath: `/v1/tracks/${part.trackId}/peaks`,
      etag: '1',
      createTime: timestampNow(),
      audio: {
        format: AudioFormat.FLAC,
        sampleRateHz: 44_100,
        channels: 2,
        durationFrames: BigInt(Math.round(seconds * 44_100)),
      },
      ...part,
    });
    this.#tracks.set(track.trackId, track);
    return track;
  }

  track(trackId: string): Track {
    const track = this.#tracks.get(trackId);
    if (track === undefined) throw studioError(Code.NotFound, 'TRACK_NOT_FOUND', 'No such track.');
    return track;
  }

  /** Somebody else edits a track. */
  edit(trackId: string, part: Partial<Track>): Track {
    const old = this.track(trackId);
    const etag = String(Number(old.etag) + 1);
    const track = { ...old, ...part, etag, updateTime: timestampNow() };
    this.#tracks.set(trackId, track);
    return track;
  }

  service(): Partial<ServiceImpl<typeof LibraryService>> {
    return {
      listTracks: (request) => {
        this.lists += 1;
        if (this.down) {
          throw studioError(Code.Unavailable, 'SERVICE_UNAVAILABLE', 'The library is starting.');
        }
        const from = Number(request.pageToken || '0');
        const size = request.pageSize || 50;
        const query = request.query.toLowerCase();
        const found = [...this.#tracks.values()]
          .reverse()
          .filter((track) => [track.title, ...track.tags].join(' ').toLowerCase().includes(query));
        const more = from + size < found.length;
        return {
          tracks: found.slice(from, from + size),
          nextPageToken: more ? String(from + size) : '',
        };
      },
      getTrack: (request) => {
        this.gets.push(request.trackId);
        return { track: this.track(request.trackId) };
      },
      updateTrack: (request) => {
        const edit = request.track ?? create(TrackSchema);
        const paths = request.updateMask?.paths ?? [];
        if (edit.etag !== '' && edit.etag !== this.track(edit.trackId).etag) {
          const remedy = 'Read the track again and repeat the edit.';
          throw studioError(Code.Aborted, 'EDIT_CONFLICT', 'The track changed meanwhile.', remedy);
        }
        if (paths.includes('title') && edit.title.trim() === '') {
          throw invalidField('track.title', 'must have 1 to 200 characters');
        }
        const masked = Object.fromEntries(
          paths.map((path) => [path, edit[path as keyof Track]]),
        ) as Partial<Track>;
        return { track: this.edit(edit.trackId, masked) };
      },
      deleteTrack: (request) => {
        this.#tracks.delete(this.track(request.trackId).trackId);
        return {};
      },
    };
  }
}
