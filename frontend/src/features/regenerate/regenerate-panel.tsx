import { type FormEvent, useEffect, useRef, useState } from 'react';
import { type ApiError, fieldMessage, isCoveredBy, sentence } from '@/api/errors';
import { readSeed, wrongSeed } from '@/calls/seed';
import { useCreateJob } from '@/calls/use-create-job';
import type { EngineManifest } from '@/gen/musicgen/api/engine/v1/engine_pb';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { controlClass, Field, fieldProps } from '@/ui/field';
import { takeLostFocus } from '@/ui/focus';
import { editSpec, styleMusicOf } from './build-spec';
import { PartFields } from './part-fields';
import { faultsOf, inOrder, type Part, type PartFault } from './parts';
import type { RegenerateSlots } from './slots';
import type { Song } from './song';

const MOST_PARTS = 64;
const FROM_MUSIC = 'Style: from music; another prompt replaces it';

/** Makes parts of a track anew; outside of them and of their seams it stays as it is. */
export function RegeneratePanel(props: {
  track: Track;
  song: Song;
  /** The engine that made it, as it is now. */
  engine: EngineManifest;
  lengthSeconds: number;
  slots: RegenerateSlots;
  onDone: () => void;
}) {
  const { track, song, engine, lengthSeconds } = props;
  const [parts, setParts] = useState<readonly Part[]>([{ key: 0, start: '', end: '' }]);
  const [words, setWords] = useState({ prompt: song.prompt, lyrics: song.lyrics });
  const [seed, setSeed] = useState('');
  const [faults, setFaults] = useState<ReadonlyMap<number, PartFault>>(new Map());
  const [typo, setTypo] = useState<ApiError | null>(null);
  const [corrected, setCorrected] = useState(false);
  const [refusals, setRefusals] = useState(0);
  const { busy, error: refusal, createJob } = useCreateJob();
  const form = useRef<HTMLFormElement>(null);
  const error = corrected ? null : (typo ?? refusal);
  const told = corrected ? faults : withRefused(faults, refusal, parts);
  const id = `regenerate-${track.trackId}`;
  useEffect(() => {
    if (refusals > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [refusals]);

  const shown = useRef(parts.length);
  useEffect(() => {
    // The keyboard goes on in a part that came, and is not lost with one that went.
    const began = form.current?.querySelectorAll<HTMLElement>('[data-testid="part-start"]');
    if (parts.length > shown.current) began?.[parts.length - 1]?.focus();
    if (parts.length < shown.current) takeLostFocus(began?.[parts.length - 1] ?? null);
    shown.current = parts.length;
  }, [parts.length]);

  const changeParts = (next: readonly Part[]) => {
    setParts(next);
    setFaults(new Map());
    setCorrected(true); // what was said of the fields may hold no more
  };
  const onSubmit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    const wrong = faultsOf(parts, lengthSeconds);
    const read = readSeed(seed);
    setFaults(wrong);
    setTypo(read === null ? wrongSeed() : null);
    setCorrected(false);
    if (wrong.size > 0 || read === null) {
      setRefusals(refusals + 1);
      return;
    }
    const sung = engine.supportsLyrics ? words : { ...words, lyrics: '' };
    const value = editSpec(track, song, sung, parts, read);
    const jobId = await createJob({ case: 'generate', value });
    if (jobId !== undefined) props.onDone();
    else setRefusals(refusals + 1);
  };
  const text = (name: 'prompt' | 'lyrics', label: string, rows: number, note?: string) => {
    const fault = fieldMessage(error, name);
    const field = fieldProps(`${id}-${name}`, fault);
    const noteId = note && `${id}-${name}-note`;
    const aside = note && (
      <span id={noteId} data-testid={`regenerate-${name}-note`} className="text-sm text-muted">
        {note}
      </span>
    );
    return (
      <Field
        id={field.id}
        label={label}
        aside={aside}
        error={fault}
        remedy={fault && error?.remedy}
      >
        <textarea
          {...field}
          aria-describedby={
            [noteId, field['aria-describedby']].filter(Boolean).join(' ') || undefined
          }
          dir="auto"
          data-testid={`regenerate-${name}`}
          className={`${controlClass} resize-y py-2`}
          rows={rows}
          value={words[name]}
          onChange={(event) => {
            setWords({ ...words, [name]: event.target.value });
            setCorrected(true);
          }}
        />
      </Field>
    );
  };
  const seedFault = fieldMessage(error, 'seed');
  return (
    <form
      ref={form}
      data-testid="regenerate-form"
      aria-label={`Regenerate parts of ${track.title}`}
      className="grid grid-cols-1 gap-4 border-t border-line pt-4"
      noValidate
      onSubmit={(event) => void onSubmit(event)}
      onKeyDown={(event) => event.key === 'Escape' && props.onDone()}
    >
      <p className="max-w-prose text-sm text-muted">
        Mark what should be made anew: drag over the picture, write the times, or let the track play
        and press “From here” and “To here”. Outside the marked parts and a tenth of a second to
        their sides everything stays as it is.
      </p>
      {parts.map((part, index) => (
        <PartFields
          key={part.key}
          track={track}
          lengthSeconds={lengthSeconds}
          part={part}
          number={index + 1}
          fault={told.get(part.key)}
          slots={props.slots}
          onChange={(ends) =>
            changeParts(parts.map((one) => (one === part ? { ...one, ...ends } : one)))
          }
          onRemove={
            parts.length === 1 ? undefined : () => changeParts(parts.filter((one) => one !== part))
          }
        />
      ))}
      {parts.length < MOST_PARTS && (
        <Button
          className="justify-self-start"
          data-testid="part-add"
          onClick={() => {
            const key = Math.max(...parts.map((part) => part.key)) + 1;
            changeParts([...parts, { key, start: '', end: '' }]);
          }}
        >
          Add a part
        </Button>
      )}
      {engine.supportsLyrics && text('lyrics', 'Lyrics of the whole track', 8)}
      {text('prompt', 'Prompt', 3, styleMusicOf(song, words) && FROM_MUSIC)}
      <Field id={`${id}-seed`} label="Seed" error={seedFault} remedy={seedFault && error?.remedy}>
        <input
          {...fieldProps(`${id}-seed`, seedFault)}
          data-testid="regenerate-seed"
          className={`${controlClass} figures max-w-48`}
          inputMode="numeric"
          autoComplete="off"
          placeholder="Random"
          value={seed}
          onChange={(event) => {
            setSeed(event.target.value);
            setCorrected(true);
          }}
        />
      </Field>
      {error !== null && !isCoveredBy(error, ['prompt', 'lyrics', 'seed']) && (
        <ErrorNote message={error.message} remedy={error.remedy} />
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" look="primary" data-testid="regenerate-start" aria-disabled={busy}>
          {busy ? 'Sending…' : partsWords(parts.length)}
        </Button>
        <Button look="quiet" onClick={props.onDone}>
          Close
        </Button>
      </div>
    </form>
  );
}

function partsWords(count: number): string {
  return count === 1 ? 'Regenerate this part' : `Regenerate ${count} parts`;
}

/** What the studio said of parts, in the order in which they were sent. */
function withRefused(
  faults: ReadonlyMap<number, PartFault>,
  refusal: ApiError | null,
  parts: readonly Part[],
): ReadonlyMap<number, PartFault> {
  const all = new Map(faults);
  const ordered = inOrder(parts);
  for (const [path, fault] of Object.entries(refusal?.fields ?? {})) {
    const place = /\.regenerate\[(\d+)\]/.exec(path);
    const part = place === null ? undefined : ordered[Number(place[1])];
    if (part !== undefined) all.set(part.key, { start: sentence(fault) });
  }
  return all;
}
