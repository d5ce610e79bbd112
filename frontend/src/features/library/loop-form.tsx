import { type FormEvent, useState } from 'react';
import { type ApiError, fieldMessage, localFieldError } from '@/api/errors';
import { useCreateJob } from '@/calls/use-create-job';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { controlClass, Field, fieldProps } from '@/ui/field';
import { lengthWords } from '@/ui/time';

const PRESETS_SECONDS = [60, 600, 1_800, 3_600, 28_800, 36_000];
const NOT_A_NUMBER = localFieldError(
  'length_seconds',
  'The length is not a number.',
  'Write minutes such as 45.',
);

/** Loops a track to a length: it repeats without a seam that could be heard. */
export function LoopForm(props: { track: Track; onDone: () => void }) {
  const [minutes, setMinutes] = useState('');
  const { busy, error: refusal, createJob } = useCreateJob();
  const [typo, setTypo] = useState<ApiError | null>(null);
  const error = typo ?? refusal;
  const at = fieldMessage(error, 'length_seconds');

  const loop = async (lengthSeconds: number) => {
    setTypo(null);
    const source = { source: { case: 'trackId' as const, value: props.track.trackId } };
    const job = await createJob({ case: 'loop', value: { source, lengthSeconds } });
    if (job !== undefined) props.onDone();
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    const typed = Number(minutes);
    if (minutes.trim() !== '' && Number.isFinite(typed)) void loop(typed * 60);
    else setTypo(NOT_A_NUMBER);
  };
  const id = `loop-${props.track.trackId}`;
  return (
    <form
      data-testid="loop-form"
      aria-label={`Loop ${props.track.title}`}
      className="grid gap-3 rounded-lg border border-line p-3"
      noValidate
      onSubmit={onSubmit}
      onKeyDown={(event) => event.key === 'Escape' && props.onDone()}
    >
      <p className="plate">Loop it to exactly</p>
      <div className="flex flex-wrap gap-2">
        {PRESETS_SECONDS.map((seconds) => (
          <Button
            key={seconds}
            data-testid={`loop-${seconds}`}
            disabled={busy}
            onClick={() => void loop(seconds)}
          >
            {lengthWords(seconds)}
          </Button>
        ))}
      </div>
      <Field id={id} label="or minutes, 1 to 600" error={at} remedy={error?.remedy}>
        <div className="flex gap-2">
          <input
            {...fieldProps(id, at)}
            data-testid="loop-minutes"
            className={`${controlClass} figures max-w-32`}
            inputMode="decimal"
            autoComplete="off"
            placeholder="45"
            value={minutes}
            onChange={(event) => {
              setMinutes(event.target.value);
              setTypo(null);
            }}
          />
          <Button type="submit" data-testid="loop-start" disabled={busy}>
            Loop it
          </Button>
          <Button look="quiet" onClick={props.onDone}>
            Close
          </Button>
        </div>
      </Field>
      {error !== null && at === undefined && (
        <ErrorNote message={error.message} remedy={error.remedy} />
      )}
    </form>
  );
}
