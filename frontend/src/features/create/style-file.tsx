import type { ReactNode } from 'react';
import { Button, buttonClass } from '@/ui/button';
import { takeLostFocus } from '@/ui/focus';
import { ProgressDial } from '@/ui/progress-dial';
import { sizeWords } from '@/ui/size';
import type { StyleFile } from './draft';
import type { Uploading } from './use-file-upload';

const INPUT = 'style-file';

/** A music file: chosen or dropped, on its way to the studio, or there. */
export function StyleFilePart(props: {
  /** The one that the studio has. */
  chosen: StyleFile | null;
  upload: Uploading;
  /** Whether something was pressed here: the keyboard stays then. */
  pressed: boolean;
  invalid: boolean;
  onFile: (file: File) => void;
  onGoOn: () => void;
  onCancel: () => void;
}) {
  const { chosen, upload, invalid, onFile } = props;
  const { file, state } = upload;
  if (file !== null && state.phase !== 'stopped') {
    return <OnItsWay file={file} upload={upload} onCancel={props.onCancel} />;
  }
  if (file !== null) {
    const { sentBytes } = state;
    return (
      <FileRow name={file.name} facts={amountWords(sentBytes, file.size)}>
        <Button ref={takeLostFocus} data-testid="upload-again" onClick={props.onGoOn}>
          Try again
        </Button>
        <ChooseButton invalid={invalid} onFile={onFile} />
      </FileRow>
    );
  }
  if (chosen !== null) {
    return (
      <FileRow name={chosen.name} facts={sizeWords(chosen.sizeBytes)}>
        <ChooseButton invalid={invalid} onFile={onFile} />
      </FileRow>
    );
  }
  return (
    <label
      htmlFor={INPUT}
      className="flex cursor-pointer flex-wrap items-baseline justify-center gap-x-1.5 rounded-md border border-dashed border-edge bg-well px-3 py-4 text-sm hover:border-muted has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-(--focus) has-aria-invalid:border-bad"
    >
      <FileInput focus={props.pressed} invalid={invalid} onFile={onFile} />
      <span className="font-medium underline decoration-edge underline-offset-3">
        Choose a music file
      </span>
      <span className="text-muted pointer-coarse:hidden">or drop it here</span>
    </label>
  );
}

function OnItsWay(props: { file: File; upload: Uploading; onCancel: () => void }) {
  const { file } = props;
  const { phase, sentBytes } = props.upload.state;
  const fraction = sentBytes / file.size;
  const waiting = phase === 'waiting';
  return (
    <div data-testid="style-upload" className="grid grid-cols-1 gap-2">
      <p dir="auto" className="truncate text-left">
        {file.name}
      </p>
      <ProgressDial label={`Uploading ${file.name}`} fraction={fraction} />
      <div className="flex items-center justify-between gap-4">
        <p className="flex min-w-0 flex-wrap items-baseline gap-x-3 text-sm">
          <span data-testid="upload-percent" className="wide figures text-lg font-semibold">
            {Math.floor(fraction * 100)}%
          </span>
          <span data-testid="upload-bytes" className="figures text-muted">
            {amountWords(sentBytes, file.size)}
          </span>
          {waiting && <span>The connection broke. Trying again…</span>}
        </p>
        <Button
          ref={takeLostFocus}
          data-testid="upload-cancel"
          aria-label={`Cancel: uploading ${file.name}`}
          onClick={props.onCancel}
        >
          Cancel
        </Button>
      </div>
      {/* Each stage is said once; the numbers beside it are silent. */}
      <p role="status" className="sr-only">
        {waiting ? 'The connection broke. Trying again' : `Uploading ${file.name}`}
      </p>
    </div>
  );
}

function FileRow(props: { name: string; facts: string; children: ReactNode }) {
  return (
    <div
      data-testid="style-file-row"
      className="flex flex-wrap items-center justify-end gap-x-3 gap-y-1 rounded-md border border-edge bg-well py-1 pr-1.5 pl-3"
    >
      <p className="flex min-w-0 flex-1 basis-40 items-baseline gap-x-3">
        <span dir="auto" className="min-w-0 truncate text-left">
          {props.name}
        </span>
        <span className="figures text-sm whitespace-nowrap text-muted">{props.facts}</span>
      </p>
      <div className="flex items-center gap-x-2">{props.children}</div>
    </div>
  );
}

function ChooseButton(props: { invalid: boolean; onFile: (file: File) => void }) {
  return (
    <label
      htmlFor={INPUT}
      className={`${buttonClass('quiet')} cursor-pointer has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-(--focus)`}
    >
      <FileInput focus={false} invalid={props.invalid} onFile={props.onFile} />
      Choose again
    </label>
  );
}

function FileInput(props: { focus: boolean; invalid: boolean; onFile: (file: File) => void }) {
  return (
    <input
      ref={props.focus ? takeLostFocus : undefined}
      id={INPUT}
      type="file"
      accept="audio/*"
      data-testid="style-file-input"
      className="sr-only"
      aria-invalid={props.invalid}
      aria-describedby={props.invalid ? 'style-error' : undefined}
      onChange={(event) => {
        const file = event.target.files?.[0];
        event.target.value = ''; // the same one may be chosen again
        if (file !== undefined) props.onFile(file);
      }}
    />
  );
}

function amountWords(sentBytes: number, totalBytes: number): string {
  return `${sizeWords(sentBytes)} of ${sizeWords(totalBytes)}`;
}
