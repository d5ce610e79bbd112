import { type ApiError, fieldMessage } from '@/api/errors';
import { controlClass, Field, fieldProps } from '@/ui/field';
import { lengthWords } from '@/ui/time';
import type { ChangeDraft, Extent, LoopDraft } from './draft';
import { readNumber, secondsUntil } from './times';

const PRESETS_SECONDS = [60, 600, 1_800, 3_600, 28_800, 36_000];
const TYPED: readonly (readonly [Extent, string])[] = [
  ['minutes', 'Minutes…'],
  ['cycles', 'Repeats…'],
  ['until', 'Until…'],
];

/** How long the result is. */
export function ExtentFields(props: {
  id: string;
  draft: LoopDraft;
  /** Length of the chosen cycle, 0 while it is unknown. */
  cycleSeconds: number;
  error: ApiError | null;
  now: Date;
  onChange: ChangeDraft;
}) {
  const { draft, error, onChange } = props;
  const fault = fieldMessage(error, 'length_seconds') ?? fieldMessage(error, 'cycles');
  const typed = typeof draft.extent === 'string' ? draft.extent : null;
  const chip = (extent: Extent, words: string) => (
    <button
      key={extent}
      type="button"
      data-testid={`loop-${extent}`}
      aria-pressed={draft.extent === extent}
      className={`figures h-9 rounded-md border px-3 text-sm font-medium ${draft.extent === extent ? 'border-accent bg-accent text-on-accent' : 'border-line bg-well hover:border-edge'}`}
      onClick={() => onChange({ extent })}
    >
      {words}
    </button>
  );
  return (
    <fieldset className="grid min-w-0 grid-cols-1 gap-2.5">
      <legend className="plate mb-2">How long</legend>
      <div className="flex flex-wrap gap-1.5">
        {PRESETS_SECONDS.map((seconds) => chip(seconds, lengthWords(seconds)))}
        {TYPED.map(([extent, words]) => chip(extent, words))}
      </div>
      {typed !== null && <TypedExtent {...props} extent={typed} fault={fault} />}
      {typed === null && fault !== undefined && (
        <p role="alert" data-testid="field-error" className="text-sm font-medium text-bad">
          {fault}
        </p>
      )}
    </fieldset>
  );
}

const LABELS = {
  minutes: 'Minutes, 1 to 600',
  cycles: 'How often the loop is heard',
  until: 'Until the clock here shows',
} as const;

function TypedExtent(props: {
  id: string;
  draft: LoopDraft;
  extent: 'minutes' | 'cycles' | 'until';
  cycleSeconds: number;
  error: ApiError | null;
  fault: string | undefined;
  now: Date;
  onChange: ChangeDraft;
}) {
  const { id, draft, extent, fault, onChange } = props;
  return (
    <Field
      id={id}
      label={LABELS[extent]}
      error={fault}
      remedy={fault && props.error?.remedy}
      aside={
        <span data-testid="loop-length" className="figures text-sm text-muted">
          {lengthOf(draft, props.cycleSeconds, props.now)}
        </span>
      }
    >
      <input
        {...fieldProps(id, fault)}
        data-testid={`loop-${extent}-field`}
        className={`${controlClass} figures max-w-48`}
        type={extent === 'until' ? 'time' : 'text'}
        inputMode={extent === 'minutes' ? 'decimal' : 'numeric'}
        autoComplete="off"
        placeholder={extent === 'minutes' ? '45' : '12'}
        value={draft[extent]}
        onChange={(event) => onChange({ [extent]: event.target.value })}
      />
    </Field>
  );
}

/** What the typed words come to, where that is known. */
function lengthOf(draft: LoopDraft, cycleSeconds: number, now: Date): string {
  if (draft.extent === 'until') {
    const seconds = secondsUntil(draft.until, now);
    return Number.isFinite(seconds) ? `${lengthWords(Math.round(seconds / 60) * 60)} from now` : '';
  }
  const cycles = readNumber(draft.cycles);
  if (draft.extent !== 'cycles' || cycleSeconds === 0 || !(cycles > 0)) return '';
  return `about ${lengthWords(cycles * cycleSeconds)}`;
}
