import { useState } from 'react';
import { fieldMessage, readJobError } from '@/api/errors';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { controlClass, Field, fieldProps } from '@/ui/field';

/** What the request calls it. */
export const FOLDER = 'folder';

/** A folder that a model was to come from, and what was wrong with it. */
export interface FolderFault {
  readonly folder: string;
  readonly message: string;
}

/** Folded away: a folder of the studio's machine that holds a model's files already. */
export function FolderField(props: {
  id: string;
  folder: string;
  fault: FolderFault | null;
  onChange: (folder: string) => void;
}) {
  const { id, folder, fault } = props;
  const [open] = useState(folder !== '');
  return (
    <details open={open} data-testid="folder-part">
      <summary className="plate w-fit rounded py-1 text-muted hover:text-ink">
        From a folder on this machine…
      </summary>
      <div className="grid grid-cols-1 gap-1.5 pt-2">
        <Field id={id} label="Folder" error={fault?.message}>
          <input
            {...fieldProps(id, fault?.message)}
            data-testid="install-folder"
            className={controlClass}
            autoComplete="off"
            autoCapitalize="off"
            spellCheck={false}
            placeholder="/media/usb/models"
            value={folder}
            onChange={(event) => props.onChange(event.target.value)}
          />
        </Field>
        <p className="max-w-prose text-sm text-muted">
          The whole path of a folder on the machine that the studio runs on. The files are copied
          from there, and nothing is fetched. They may lie in folders named like the models, or in a
          hub’s cache.
        </p>
      </div>
    </details>
  );
}

/** What an install that failed says of the folder that it was to come from. */
export function folderFaultOf(failed: Job | undefined): FolderFault | null {
  const kind = failed?.spec?.kind;
  if (kind?.case !== 'installModel' || kind.value.folder === '') return null;
  const error = readJobError(failed?.error);
  const message = fieldMessage(error, FOLDER);
  return message === undefined ? null : { folder: kind.value.folder, message };
}
