import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import { useEffect, useRef } from 'react';
import { Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { useJobsView } from '@/watch/react';
import { useTrackPage, useTrackStore } from './track-context';
import type { TrackStore } from './track-store';

/** Puts tracks into the list as their jobs succeed, without asking for the list again. */
export function useNewTracks(): void {
  const view = useJobsView();
  const store = useTrackStore();
  const { loaded } = useTrackPage();
  const seen = useRef<Set<string> | null>(null);
  useEffect(() => {
    if (!view.ready || !loaded) return;
    const done = [...view.jobs.values()].filter((job) => job.state === Job_State.SUCCEEDED);
    const before = seen.current;
    seen.current = new Set([...(before ?? []), ...done.map((job) => job.jobId)]);
    // The first look takes only what ended after the list was read: the list has the rest.
    const newestMs = before === null ? newestListedMs(store) : 0;
    for (const job of done) {
      if (before?.has(job.jobId) || millis(job.endTime) < newestMs) continue;
      for (const trackId of job.result?.trackIds ?? []) void store.addNew(trackId);
    }
  }, [view, store, loaded]);
}

function newestListedMs(store: TrackStore): number {
  const newest = store.page.trackIds[0];
  const entry = newest === undefined ? undefined : store.entry(newest);
  return entry?.state === 'ready' ? millis(entry.track.createTime) : 0;
}

function millis(time: Timestamp | undefined): number {
  return time === undefined ? 0 : timestampMs(time);
}
