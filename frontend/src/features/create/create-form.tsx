import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { fieldMessage, isCoveredBy } from '@/api/errors';
import { useEngines } from '@/calls/use-engines';
import { type Engine, Engine_State } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { controlClass, Field, fieldProps } from '@/ui/field';
import type { JobsView } from '@/watch/fold';
import { newestFirst } from '@/watch/job-state';
import { useJobsView } from '@/watch/react';
import { type Draft, keepDraft, loadDraft } from './draft';
import { EngineOptions } from './engine-options';
import { EXAMPLES } from './examples';
import { LengthField } from './length-field';
import { readOptions } from './options-schema';
import { useSubmit } from './use-submit';

const MAX_PROMPT = 2_000;
const STANDARD_RANGE = { min: 5, max: 600 };

/** Where a track begins: what it should sound like, how long, and by which engine. */
export function CreateForm(props: { onAccepted?: () => void }) {
  const [draft, setDraft] = useState(loadDraft);
  const { engines, error: enginesError, reload } = useEngines();
  const { busy, error, refusals, touched, submit } = useSubmit(props.onAccepted);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (refusals > 0) showFirstError(form.current);
  }, [refusals]);

  const change = (part: Partial<Draft>, field: string) => {
    const next = { ...draft, ...part };
    setDraft(next);
    keepDraft(next);
    touched(field);
  };
  const chosen = engineOf(engines, draft.engine);
  const options = readOptions(chosen?.manifest?.optionsSchema);
  const singing = chosen?.manifest?.supportsLyrics === true;
  const shown = [
    'prompt',
    'duration_seconds',
    'seed',
    'engine',
    ...(singing ? ['lyrics'] : []),
    ...options.map((option) => option.name),
  ];
  const at = (field: string) => fieldMessage(error, field);
  const remedyAt = (field: string) => (at(field) === undefined ? undefined : error?.remedy);

  const send = () => {
    // Options of another engine, and lyrics for one that can't sing, stay in the draft only.
    const known = new Set(options.map((option) => option.name));
    const own = Object.entries(draft.options).filter(([name]) => known.has(name));
    void submit({
      ...draft,
      lyrics: singing ? draft.lyrics : '',
      options: Object.fromEntries(own),
    });
  };
  const onSubmit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!event.repeat) send(); // held down it is still one wish
    }
  };

  return (
    <form
      ref={form}
      aria-label="Make a track"
      className="grid gap-5"
      noValidate
      onSubmit={onSubmit}
      onKeyDown={onKeyDown}
    >
      <PromptField
        prompt={draft.prompt}
        error={at('prompt')}
        remedy={remedyAt('prompt')}
        onChange={(prompt) => change({ prompt }, 'prompt')}
      />
      {singing && (
        <Field id="lyrics" label="Lyrics" error={at('lyrics')} remedy={remedyAt('lyrics')}>
          <textarea
            {...fieldProps('lyrics', at('lyrics'))}
            dir="auto"
            data-testid="lyrics"
            className={`${controlClass} py-2`}
            rows={5}
            placeholder="Leave empty for instrumental music"
            value={draft.lyrics}
            onChange={(event) => change({ lyrics: event.target.value }, 'lyrics')}
          />
        </Field>
      )}
      <LengthField
        draft={draft}
        range={rangeOf(chosen)}
        error={at('duration_seconds')}
        remedy={remedyAt('duration_seconds')}
        onChange={(part) => change(part, 'duration_seconds')}
      />
      <div className="grid grid-cols-1 items-start gap-4 sm:grid-cols-[3fr_2fr]">
        <Field id="engine" label="Engine" error={at('engine')} remedy={remedyAt('engine')}>
          <select
            {...fieldProps('engine', at('engine'))}
            data-testid="engine"
            className={controlClass}
            value={draft.engine || (chosen?.manifest?.name ?? '')}
            onFocus={reload}
            onChange={(event) => change({ engine: event.target.value }, 'engine')}
          >
            {chosen === undefined && (
              <option value={draft.engine}>{draft.engine || 'Default'}</option>
            )}
            {engines.map((engine) => (
              <EngineChoice key={engine.manifest?.name} engine={engine} chosen={chosen} />
            ))}
          </select>
        </Field>
        <Field id="seed" label="Seed" error={at('seed')} remedy={remedyAt('seed')}>
          <input
            {...fieldProps('seed', at('seed'))}
            data-testid="seed"
            className={`${controlClass} figures`}
            inputMode="numeric"
            autoComplete="off"
            placeholder="Random"
            value={draft.seed}
            onChange={(event) => change({ seed: event.target.value }, 'seed')}
          />
        </Field>
      </div>
      <SeedUsed draft={draft} onReuse={(seed) => change({ seed }, 'seed')} />
      {enginesError !== null && enginesError.reason !== 'UNREACHABLE' && (
        <ErrorNote message="The engines could not be listed." remedy={enginesError.remedy}>
          <Button onClick={reload}>Try again</Button>
        </ErrorNote>
      )}
      {chosen?.manifest !== undefined && (
        <details className="group border-t border-line pt-3">
          <summary className="plate py-1 text-muted hover:text-ink">Engine options</summary>
          <div className="grid gap-4 pt-3">
            <p className="text-sm text-muted">
              {chosen.manifest.description}{' '}
              <span className="whitespace-nowrap">
                Version {chosen.manifest.version}, {chosen.manifest.license}.
              </span>
            </p>
            <EngineOptions
              options={options}
              values={draft.options}
              error={error}
              onChange={(values, name) => change({ options: values }, name)}
            />
          </div>
        </details>
      )}
      {error !== null && !isCoveredBy(error, shown) && (
        <ErrorNote message={error.message} remedy={error.remedy} />
      )}
      <div className="flex items-center gap-4">
        <Button
          type="submit"
          look="primary"
          data-testid="make"
          aria-disabled={busy}
          onClick={(event) => {
            if (event.detail > 1) event.preventDefault(); // a double click is one wish
          }}
        >
          {busy ? 'Sending…' : 'Make track'}
        </Button>
        <span className="text-sm text-muted max-sm:hidden">or press Ctrl Enter</span>
      </div>
    </form>
  );
}

function PromptField(props: {
  prompt: string;
  error: string | undefined;
  remedy: string | undefined;
  onChange: (prompt: string) => void;
}) {
  const length = [...props.prompt].length;
  return (
    <div className="grid gap-3">
      <Field
        id="prompt"
        label="What should it sound like?"
        leading
        error={props.error}
        remedy={props.remedy}
        aside={
          <span
            data-testid="prompt-count"
            className={`figures shrink-0 text-xs whitespace-nowrap sm:text-sm ${length > MAX_PROMPT ? 'font-semibold text-bad' : 'text-muted'}`}
          >
            {length.toLocaleString('en')} / 2,000
          </span>
        }
      >
        <textarea
          {...fieldProps('prompt', props.error)}
          dir="auto"
          data-testid="prompt"
          className={`${controlClass} min-h-32 resize-y py-2.5 text-base leading-relaxed`}
          rows={4}
          placeholder="Style, mood, tempo, key, instruments…"
          value={props.prompt}
          onChange={(event) => props.onChange(event.target.value)}
        />
      </Field>
      <ul className="flex flex-wrap gap-2" aria-label="Examples">
        {EXAMPLES.map((example) => (
          <li key={example.name}>
            <button
              type="button"
              data-testid="example"
              className="rounded-full border border-line px-3 py-1 text-sm text-muted hover:border-edge hover:text-ink"
              onClick={() => props.onChange(example.prompt)}
            >
              {example.name}
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

function EngineChoice(props: { engine: Engine; chosen: Engine | undefined }) {
  const { manifest, state } = props.engine;
  const down = state === Engine_State.UNAVAILABLE;
  return (
    <option value={manifest?.name} disabled={down && props.engine !== props.chosen}>
      {manifest?.displayName || manifest?.name}
      {down ? ' (unavailable)' : ''}
    </option>
  );
}

/** The seed of the newest track that was asked for, to be used once more. */
function SeedUsed(props: { draft: Draft; onReuse: (seed: string) => void }) {
  const seed = lastSeed(useJobsView());
  if (seed === undefined || props.draft.seed === String(seed)) return null;
  return (
    <p className="-mt-2 text-sm text-muted">
      Last seed{' '}
      <span data-testid="seed-used" className="figures text-ink">
        {seed}
      </span>
      <Button look="quiet" data-testid="seed-reuse" onClick={() => props.onReuse(String(seed))}>
        Use it again
      </Button>
    </p>
  );
}

/** The engine by name; without a name the studio's default, "composer". */
function engineOf(engines: readonly Engine[], name: string): Engine | undefined {
  const named = (wanted: string) => engines.find((engine) => engine.manifest?.name === wanted);
  return named(name === '' ? 'composer' : name) ?? (name === '' ? engines[0] : undefined);
}

function rangeOf(engine: Engine | undefined): { min: number; max: number } {
  const manifest = engine?.manifest;
  if (manifest === undefined || !(manifest.maxDurationSeconds > 0)) return STANDARD_RANGE;
  return {
    min: Math.max(1, manifest.minDurationSeconds),
    max: manifest.maxDurationSeconds,
  };
}

function lastSeed(view: JobsView): number | undefined {
  for (const job of newestFirst(view)) {
    const kind = job.spec?.kind;
    if (kind?.case === 'generate') return kind.value.parameters?.seed;
  }
  return undefined;
}

/** Leads to what is wrong: on a small screen it is far from the button, or folded away. */
function showFirstError(form: HTMLFormElement | null): void {
  const first = form?.querySelector<HTMLElement>('[aria-invalid="true"], [role="alert"]');
  if (first === null || first === undefined) return;
  const folded = first.closest('details');
  if (folded !== null) folded.open = true;
  if (first.getAttribute('aria-invalid') === 'true') first.focus();
  else first.scrollIntoView({ block: 'nearest' });
}
