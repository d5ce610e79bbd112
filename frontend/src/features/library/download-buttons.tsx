import { useState } from 'react';
import { useCreateJob } from '@/calls/use-create-job';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { type Job, Job_State } from '@/gen/musicgen/api/jobs/v1/job_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button, buttonClass } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { takeLostFocus } from '@/ui/focus';
import { DownIcon } from '@/ui/icons';
import { isEnded } from '@/watch/job-state';
import { useJobsView } from '@/watch/react';
import { useDownloads } from './download-context';
import { newestExport } from './downloads';
import { MidiLink, Stems } from './track-files';

const FORMATS = [
  { format: AudioFormat.FLAC, name: 'FLAC' },
  { format: AudioFormat.WAV, name: 'WAV' },
  { format: AudioFormat.MP3, name: 'MP3' },
  { format: AudioFormat.OPUS, name: 'Opus' },
  { format: AudioFormat.OGG, name: 'OGG' },
  { format: AudioFormat.M4A, name: 'M4A' },
] as const;

/** Downloads with the tags embedded: encoded by a job, then saved by the browser. */
export function DownloadButtons(props: { track: Track }) {
  const view = useJobsView();
  const downloads = useDownloads();
  const { busy, error, createJob } = useCreateJob();
  const exports = FORMATS.map(({ format, name }) => ({
    format,
    name,
    job: newestExport(view, props.track, format),
  }));
  const failed = exports.find(({ job }) => job?.state === Job_State.FAILED)?.job;

  const ask = async (format: AudioFormat) => {
    const value = { trackId: props.track.trackId, format };
    const jobId = await createJob({ case: 'export', value });
    if (jobId !== undefined) downloads.expect(jobId);
  };
  return (
    <>
      <fieldset className="flex flex-wrap items-center gap-1.5">
        <legend className="sr-only">Download</legend>
        <span aria-hidden="true" className="mr-0.5 text-muted">
          <DownIcon />
        </span>
        {exports.map(({ format, name, job }) => (
          <FormatButton
            key={name}
            name={name}
            job={job}
            busy={busy}
            onAsk={() => void ask(format)}
          />
        ))}
        <MidiLink track={props.track} />
        <Stems track={props.track} />
      </fieldset>
      {error !== null && <ErrorNote message={error.message} remedy={error.remedy} />}
      {error === null && failed !== undefined && (
        <ErrorNote
          message={failed.error?.message ?? 'The download could not be made.'}
          remedy={failed.error?.remedy ?? ''}
        />
      )}
    </>
  );
}

function FormatButton(props: {
  name: string;
  job: Job | undefined;
  busy: boolean;
  onAsk: () => void;
}) {
  const { name, job } = props;
  const [asked, setAsked] = useState(false);
  const testId = `download-${name.toLowerCase()}`;
  const file = job?.state === Job_State.SUCCEEDED ? job.result?.downloads[0] : undefined;
  if (file !== undefined) {
    return (
      <a
        ref={asked ? takeLostFocus : undefined}
        data-testid={testId}
        data-state="ready"
        className={buttonClass()}
        href={file.path}
        download={file.fileName}
        aria-label={`Download ${name}`}
      >
        {name}
        <span className="text-xs text-good">ready</span>
      </a>
    );
  }
  const working = job !== undefined && !isEnded(job);
  const percent = Math.floor((job?.progress?.fraction ?? 0) * 100);
  return (
    <Button
      data-testid={testId}
      data-state={working ? 'working' : 'idle'}
      aria-label={working ? `${name} is being made` : `Download ${name}`}
      aria-disabled={working || props.busy}
      onClick={() => {
        if (working || props.busy) return;
        setAsked(true);
        props.onAsk();
      }}
    >
      {name}
      {working && <span className="figures text-xs text-muted">{percent}%</span>}
    </Button>
  );
}
