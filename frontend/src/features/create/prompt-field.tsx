import { controlClass, Field, fieldProps } from '@/ui/field';
import { EXAMPLES } from './examples';

const MAX_PROMPT = 2_000;

/** What the track should sound like, in words; with examples to start from. */
export function PromptField(props: {
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
