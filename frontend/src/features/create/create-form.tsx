import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from 'react';
import { fieldMessage, isCoveredBy } from '@/api/errors';
import { modelsOf } from '@/calls/engine-facts';
import { useEngines } from '@/calls/use-engines';
import { useModels } from '@/calls/use-models';
import type { Engine } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { Button } from '@/ui/button';
import { CountChoice } from '@/ui/count-choice';
import { ErrorNote } from '@/ui/error-note';
import { type Draft, keepDraft, loadDraft, type OptionValue } from './draft';
import { EngineField, ModelField } from './engine-fields';
import { EngineNote } from './engine-note';
import { EngineOptions } from './engine-options';
import { LengthField } from './length-field';
import { LyricsField } from './lyrics-field';
import { readOptions } from './options-schema';
import { PromptField } from './prompt-field';
import { SeedField, SeedUsed } from './seed-field';
import type { CreateSlots } from './slots';
import { notThereYet, STYLE } from './style-error';
import { StyleField } from './style-field';
import { useFileUpload } from './use-file-upload';
import { useSubmit } from './use-submit';

const STANDARD_RANGE = { min: 5, max: 600 };

/** The option that names a model, of engines that have several. */
const MODEL = 'model';

/** Where a track begins: what it should sound like, how long, and by which engine. */
export function CreateForm(props: { slots: CreateSlots; onAccepted?: () => void }) {
  const { slots } = props;
  const [draft, setDraft] = useState(loadDraft);
  const [versions, setVersions] = useState(1);
  const { engines, error: enginesError, reload } = useEngines();
  const { models } = useModels();
  const { busy, error, refusals, touched, submit, refuse } = useSubmit(props.onAccepted);
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
  const upload = useFileUpload((styleFile) => change({ styleFile }, STYLE));
  const setOption = (name: string, value: OptionValue | undefined) => {
    const { [name]: _old, ...others } = draft.options;
    change({ options: value === undefined ? others : { ...others, [name]: value } }, name);
  };
  const chosen = engineOf(engines, draft.engine);
  const manifest = chosen?.manifest;
  const name = manifest?.name ?? '';
  const all = readOptions(manifest?.optionsSchema);
  const choosesModel =
    all.some((option) => option.name === MODEL) && modelsOf(name, models).length > 0;
  const options = choosesModel ? all.filter((option) => option.name !== MODEL) : all;
  const wanted = fittingDraft(draft, chosen, new Set(all.map((option) => option.name)));
  const shown = [
    'prompt',
    'duration_seconds',
    'seed',
    'engine',
    ...(manifest?.supportsLyrics ? ['lyrics'] : []),
    ...(manifest?.supportsStyleAudio ? [STYLE] : []),
    ...all.map((option) => option.name),
  ];
  const at = (field: string) => fieldMessage(error, field);
  const uploadError = draft.styleFrom === 'file' ? upload.error : null;
  const remedyAt = (field: string) => (at(field) === undefined ? undefined : error?.remedy);

  const send = () => {
    const { file } = upload;
    if (wanted.styleFrom === 'file' && file !== null) refuse(notThereYet(file.name));
    else void submit(wanted, versions);
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
      className="grid grid-cols-1 gap-5"
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
      {manifest?.supportsStyleAudio && (
        <StyleField
          draft={draft}
          picker={slots.trackPicker(draft.styleTrackId, (styleTrackId) =>
            change({ styleTrackId }, STYLE),
          )}
          upload={upload}
          error={uploadError?.message ?? at(STYLE)}
          remedy={uploadError?.remedy ?? remedyAt(STYLE)}
          onChange={(styleFrom) => change({ styleFrom }, STYLE)}
          onFile={(file) => {
            change({ styleFrom: 'file' }, STYLE);
            upload.choose(file);
          }}
          onTouched={() => touched(STYLE)}
        />
      )}
      {manifest?.supportsLyrics && (
        <LyricsField
          draft={wanted}
          checkedBy={manifest.checksLyrics ? name : undefined}
          error={at('lyrics')}
          remedy={remedyAt('lyrics')}
          onChange={(lyrics) => change({ lyrics }, 'lyrics')}
        />
      )}
      <LengthField
        draft={draft}
        range={rangeOf(chosen)}
        error={at('duration_seconds')}
        remedy={remedyAt('duration_seconds')}
        onChange={(part) => change(part, 'duration_seconds')}
      />
      <div className="grid grid-cols-1 items-start gap-4 sm:grid-cols-[3fr_2fr]">
        <EngineField
          draft={draft}
          engines={engines}
          chosen={chosen}
          error={error}
          onLook={reload}
          onChange={(engine) => change({ engine }, 'engine')}
        />
        <SeedField seed={draft.seed} error={error} onChange={(seed) => change({ seed }, 'seed')} />
      </div>
      {chosen !== undefined && (
        <EngineNote engine={chosen} models={models} onOpen={slots.openEngines} />
      )}
      {choosesModel && (
        <ModelField
          engine={name}
          models={models}
          model={String(draft.options[MODEL] ?? '')}
          error={error}
          onChange={(model) => setOption(MODEL, model === '' ? undefined : model)}
        />
      )}
      <SeedUsed seed={draft.seed} onReuse={(seed) => change({ seed }, 'seed')} />
      {enginesError !== null && enginesError.reason !== 'UNREACHABLE' && (
        <ErrorNote message="The engines could not be listed." remedy={enginesError.remedy}>
          <Button onClick={reload}>Try again</Button>
        </ErrorNote>
      )}
      {manifest !== undefined && (
        <details className="group border-t border-line pt-3">
          <summary className="plate py-1 text-muted hover:text-ink">Engine options</summary>
          <div className="grid gap-4 pt-3">
            <p className="text-sm text-muted">
              {manifest.description}{' '}
              <span className="whitespace-nowrap">
                Version {manifest.version}, {manifest.license}.
              </span>
            </p>
            <EngineOptions
              options={options}
              values={draft.options}
              error={error}
              onChange={setOption}
            />
          </div>
        </details>
      )}
      {error !== null && !isCoveredBy(error, shown) && (
        <ErrorNote message={error.message} remedy={error.remedy} />
      )}
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <CountChoice label="Versions" testId="versions" count={versions} onChange={setVersions} />
        <Button
          type="submit"
          look="primary"
          data-testid="make"
          aria-disabled={busy}
          onClick={(event) => {
            if (event.detail > 1) event.preventDefault(); // a double click is one wish
          }}
        >
          {busy && 'Sending…'}
          {!busy && (versions === 1 ? 'Make track' : `Make ${versions} versions`)}
        </Button>
        <span className="text-sm text-muted max-sm:hidden">or press Ctrl Enter</span>
      </div>
    </form>
  );
}

/**
 * What of a draft an engine can use: options of another one, lyrics for one that can't sing
 * and the like stay in the draft only.
 */
function fittingDraft(draft: Draft, engine: Engine | undefined, known: ReadonlySet<string>): Draft {
  const own = Object.entries(draft.options).filter(([name]) => known.has(name));
  return {
    ...draft,
    lyrics: engine?.manifest?.supportsLyrics === true ? draft.lyrics : '',
    styleFrom: engine?.manifest?.supportsStyleAudio === true ? draft.styleFrom : 'prompt',
    options: Object.fromEntries(own),
  };
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

/** Leads to what is wrong: on a small screen it is far from the button, or folded away. */
function showFirstError(form: HTMLFormElement | null): void {
  const first = form?.querySelector<HTMLElement>('[aria-invalid="true"], [role="alert"]');
  if (first === null || first === undefined) return;
  const folded = first.closest('details');
  if (folded !== null) folded.open = true;
  if (first.getAttribute('aria-invalid') === 'true') first.focus();
  else first.scrollIntoView({ block: 'nearest' });
}
