import { type ApiError, fieldMessage } from '@/api/errors';
import { AudioFormat } from '@/gen/musicgen/api/audio/v1/audio_pb';
import { LoopSpec_Ending } from '@/gen/musicgen/api/looper/v1/loop_pb';
import { controlClass, Field, fieldProps } from '@/ui/field';
import type { ChangeDraft, LoopDraft } from './draft';

const ENDINGS: readonly (readonly [LoopSpec_Ending, string])[] = [
  [LoopSpec_Ending.CUT, 'Stops there'],
  [LoopSpec_Ending.FADE, 'Fades out'],
  [LoopSpec_Ending.OUTRO, 'Ends as the track does'],
];

const FORMATS: readonly (readonly [AudioFormat, string])[] = [
  [AudioFormat.FLAC, 'FLAC, lossless'],
  [AudioFormat.WAV, 'WAV, lossless and large'],
  [AudioFormat.MP3, 'MP3, plays everywhere'],
  [AudioFormat.OPUS, 'Opus, smallest'],
  [AudioFormat.OGG, 'OGG (Vorbis)'],
  [AudioFormat.M4A, 'M4A (AAC)'],
];

/** How it begins and ends, and in which format. */
export function FinishFields(props: {
  id: string;
  draft: LoopDraft;
  error: ApiError | null;
  onChange: ChangeDraft;
}) {
  const { id, draft, error, onChange } = props;
  const atFade = fieldMessage(error, 'fade_seconds');
  const fades = draft.ending === LoopSpec_Ending.FADE;
  return (
    <div className="grid grid-cols-1 gap-3">
      <div
        className={`grid grid-cols-1 gap-3 ${fades ? 'sm:grid-cols-[2fr_1fr_2fr]' : 'sm:grid-cols-2'}`}
      >
        <Choice
          id={`${id}-ending`}
          testId="loop-ending"
          label="At the end it"
          choices={ENDINGS}
          value={draft.ending}
          error={fieldMessage(error, 'ending')}
          onChange={(ending) => onChange({ ending })}
        />
        {fades && (
          <Field
            id={`${id}-fade`}
            label="Fade, seconds"
            error={atFade}
            remedy={atFade && error?.remedy}
          >
            <input
              {...fieldProps(`${id}-fade`, atFade)}
              data-testid="loop-fade"
              className={`${controlClass} figures`}
              inputMode="decimal"
              autoComplete="off"
              value={draft.fade}
              onChange={(event) => onChange({ fade: event.target.value })}
            />
          </Field>
        )}
        <Choice
          id={`${id}-format`}
          testId="loop-format"
          label="Format"
          choices={FORMATS}
          value={draft.format}
          error={fieldMessage(error, 'format')}
          remedy={error?.remedy}
          onChange={(format) => onChange({ format })}
        />
      </div>
      <label className="flex cursor-pointer items-start gap-2 text-sm">
        <input
          type="checkbox"
          data-testid="loop-skip-intro"
          className="mt-1 accent-accent"
          checked={draft.skipIntro}
          onChange={(event) => onChange({ skipIntro: event.target.checked })}
        />
        <span>
          Begin with the loop <span className="text-muted">and leave out what leads to it</span>
        </span>
      </label>
    </div>
  );
}

/** One of a list of numbered choices. */
function Choice<Value extends number>(props: {
  id: string;
  testId: string;
  label: string;
  choices: readonly (readonly [Value, string])[];
  value: Value;
  error: string | undefined;
  remedy?: string | undefined;
  onChange: (value: Value) => void;
}) {
  const choose = (text: string) => {
    const chosen = props.choices.find(([value]) => String(value) === text);
    if (chosen !== undefined) props.onChange(chosen[0]);
  };
  return (
    <Field
      id={props.id}
      label={props.label}
      error={props.error}
      remedy={props.error && props.remedy}
    >
      <select
        {...fieldProps(props.id, props.error)}
        data-testid={props.testId}
        className={controlClass}
        value={props.value}
        onChange={(event) => choose(event.target.value)}
      >
        {props.choices.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </Field>
  );
}
