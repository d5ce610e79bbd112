import { type DragEvent, type ReactNode, useState } from 'react';
import type { Draft, StyleFrom } from './draft';
import { StyleFilePart } from './style-file';
import type { Uploading } from './use-file-upload';

const CHOICES: readonly (readonly [StyleFrom, string])[] = [
  ['prompt', 'The prompt'],
  ['track', 'A track'],
  ['file', 'A file'],
];

/** What the style is taken from: the words of the prompt, or music of the library or a file. */
export function StyleField(props: {
  draft: Draft;
  picker: ReactNode;
  upload: Uploading;
  error: string | undefined;
  remedy: string | undefined;
  onChange: (styleFrom: StyleFrom) => void;
  onFile: (file: File) => void;
  /** Something is done about what was found wrong. */
  onTouched: () => void;
}) {
  const { draft, error, upload } = props;
  const [pressed, setPressed] = useState(false);
  const take = (file: File) => {
    setPressed(true);
    props.onFile(file);
  };
  return (
    <fieldset
      data-testid="style"
      aria-describedby={error === undefined ? undefined : 'style-error'}
      className="grid min-w-0 grid-cols-1 gap-2"
      onDragOver={acceptFile}
      onDrop={(event) => {
        const file = event.dataTransfer.files[0];
        if (file === undefined) return;
        event.preventDefault(); // else the browser would leave the page for it
        take(file);
      }}
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
      {draft.styleFrom === 'track' && props.picker}
      {draft.styleFrom === 'file' && (
        <StyleFilePart
          chosen={draft.styleFile}
          upload={upload}
          pressed={pressed}
          invalid={error !== undefined}
          onFile={take}
          onGoOn={() => {
            props.onTouched();
            upload.goOn();
          }}
          onCancel={() => {
            props.onTouched();
            upload.cancel();
          }}
        />
      )}
      {draft.styleFrom !== 'prompt' && (
        <p className="text-sm text-muted">
          Ten seconds from its middle say how it shall sound, instead of the prompt.
        </p>
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

function acceptFile(event: DragEvent): void {
  if (event.dataTransfer.types.includes('Files')) event.preventDefault();
}
