import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { WatchJobsResponse } from '@/gen/musicgen/api/jobs/v1/job_service_pb';
import { applyFrame, dropPages, EMPTY_VIEW, type JobsView, mergeJob } from './fold';
import type { Connection } from './watch-client';

/** Holds the view of all jobs for whoever wants to look. Knows neither net nor React. */
export class JobsStore {
  #view: JobsView = EMPTY_VIEW;
  #connection: Connection = 'connecting';
  readonly #listeners = new Set<() => void>();

  get view(): JobsView {
    return this.#view;
  }

  get connection(): Connection {
    return this.#connection;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  apply(frame: WatchJobsResponse): void {
    this.#set(applyFrame(this.#view, frame));
  }

  /** Takes in a job that a call returned, before the watch tells of it. */
  merge(job: Job | undefined): void {
    if (job !== undefined) this.#set(mergeJob(this.#view, job));
  }

  dropPages(): void {
    this.#set(dropPages(this.#view));
  }

  setConnection(connection: Connection): void {
    if (connection === this.#connection) return;
    this.#connection = connection;
    this.#tell();
  }

  #set(view: JobsView): void {
    if (view === this.#view) return;
    this.#view = view;
    this.#tell();
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
