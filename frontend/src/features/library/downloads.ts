import type { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import type { JobsView } from '@/watch/fold';
import { newestFirst } from '@/watch/job-state';
import type { JobsStore } from '@/watch/jobs-store';

/** Saves a file of the gateway; the server says under which name. */
export type SaveFile = (path: string, fileName: string) => void;

/** By a link that is clicked: the browser streams it to disk, however long it is. */
export const saveByLink: SaveFile = (path, fileName) => {
  const link = document.createElement('a');
  link.href = path;
  link.download = fileName;
  document.body.append(link);
  link.click();
  link.remove();
};

/**
 * Saves each download as soon as it is encoded, if it was asked for on this page. After
 * a reload nobody is surprised by a download: the finished one waits as a link.
 */
export class Downloads {
  readonly #jobs: JobsStore;
  readonly #save: SaveFile;
  readonly #waiting = new Set<string>();

  constructor(jobs: JobsStore, save: SaveFile = saveByLink) {
    this.#jobs = jobs;
    this.#save = save;
    jobs.subscribe(() => this.#look());
  }

  /** Saves what this job makes, once it is there. */
  expect(jobId: string): void {
    this.#waiting.add(jobId);
    this.#look();
  }

  #look(): void {
    for (const jobId of this.#waiting) {
      const job = this.#jobs.view.jobs.get(jobId);
      if (job?.state === Job_State.SUCCEEDED) {
        this.#waiting.delete(jobId);
        const download = job.result?.downloads[0];
        if (download !== undefined) this.#save(download.path, download.fileName);
      } else if (job?.state === Job_State.FAILED || job?.state === Job_State.CANCELLED) {
        this.#waiting.delete(jobId);
      }
    }
  }
}

/** The newest export of a track in a format that holds its present tags. */
export function newestExport(view: JobsView, track: Track, format: AudioFormat): Job | undefined {
  return newestFirst(view).find((job) => {
    const kind = job.spec?.kind;
    return (
      kind?.case === 'export' &&
      kind.value.trackId === track.trackId &&
      kind.value.format === format &&
      !isBefore(job, track)
    );
  });
}

/** Whether the tags were edited after the job was asked for. */
function isBefore(job: Job, track: Track): boolean {
  const [asked, edited] = [job.createTime, track.updateTime];
  if (asked === undefined || edited === undefined) return false;
  return (
    asked.seconds < edited.seconds ||
    (asked.seconds === edited.seconds && asked.nanos < edited.nanos)
  );
}
