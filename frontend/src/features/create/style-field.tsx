import type { ReactNode } from 'react';
import type { Draft, StyleFrom } from './draft';

const CHOICES: readonly (readonly [StyleFrom, string])[] = [
  ['prompt', 'The prompt'],
  ['track', 'A track'],
];

/** What the style is taken from: the words of the prompt, or music of the library. */
export function StyleField(props: {
  draft: Draft;
  picker: ReactNode;
  error: string | undefined;
  remedy: string | undefined;
  onChange: (styleFrom: StyleFrom) => void;
}) {
  const { draft, error } = props;
  return (
    <fieldset
      data-testid="style"
      aria-describedby={error === undefined ? undefined : 'style-error'}
      className="grid min-w-0 grid-cols-1 gap-2"
    >
      <legend className="plate mb-1.5">Style from</legend>
      <div className="flex flex-wrap gap-x-5 gap-y-1.5">
        {CHOICES.map(([from, words]) => (
          <label key={from} className="flex cursor-pointer items-center gap-2 text-sm">
            <input
              type="radio"
              name="style-from"
              data-testid={`style-${from}`}
              className="size-4 accent-accent"
              checked={draft.styleFrom === from}
              onChange={() => props.onChange(from)}
            />
            {words}
          </label>
        ))}
      </div>
      {draft.styleFrom === 'track' && (
        <>
          {props.picker}
          <p className="text-sm text-muted">
            Ten seconds from its middle say how it shall sound, instead of the prompt.
          </p>
        </>
      )}
      {error !== undefined && (
        <div id="style-error" role="alert" className="text-sm wrap-anywhere">
          <p data-testid="field-error" className="font-medium text-bad">
            {error}
          </p>
          {props.remedy !== undefined && props.remedy !== '' && (
            <p data-testid="remedy" className="text-muted">
              {props.remedy}
            </p>
          )}
        </div>
      )}
    </fieldset>
  );
}
