import { type FormEvent, useState } from 'react';
import { fieldMessage, isCoveredBy } from '@/api/errors';
import { useCreateJob } from '@/calls/use-create-job';
import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { takeLostFocus } from '@/ui/focus';
import { FOLDER, type FolderFault, FolderField } from './folder-field';
import { LicenceList } from './licence-list';
import { licencesOf } from './licences';
import { fetchWords } from './model-words';

/** What one should know before a model is fetched, and the wish to fetch it. */
export function InstallPart(props: {
  model: Model;
  parts: readonly Model[];
  /** What was wrong with the folder that it was to come from. */
  folderFault: FolderFault | null;
  onDone: () => void;
}) {
  const { model, parts } = props;
  const { busy, error, createJob } = useCreateJob();
  const [accepted, setAccepted] = useState(false);
  const [folder, setFolder] = useState(props.folderFault?.folder ?? '');
  /** The folder that was asked for last. */
  const [asked, setAsked] = useState<string | null>(null);
  const licences = licencesOf([model, ...parts]);
  const mustAccept = licences.some(({ open }) => open);
  const ready = accepted || !mustAccept;
  const name = model.displayName || model.name;
  const checkId = `accept-${model.name}`;
  const refused = fieldMessage(error, FOLDER);
  const faults: FolderFault[] = props.folderFault === null ? [] : [props.folderFault];
  if (error !== null && refused !== undefined && asked !== null) {
    faults.unshift({ folder: asked, message: refused });
  }

  const onSubmit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy || !ready) return;
    setAsked(folder);
    const value = { model: model.name, acceptLicence: accepted, folder };
    const jobId = await createJob({ case: 'installModel', value });
    if (jobId !== undefined) props.onDone();
  };
  return (
    <form
      data-testid="install-form"
      aria-label={`Install ${name}`}
      className="grid grid-cols-1 gap-3 border-t border-line pt-3"
      onSubmit={(event) => void onSubmit(event)}
    >
      <p ref={takeLostFocus} tabIndex={-1} className="scroll-mt-20 text-sm">
        <span className="font-semibold">Before it is installed</span>{' '}
        <span className="figures text-muted">
          {folder === '' ? fetchWords(model, parts) : 'Nothing is fetched'}
        </span>
      </p>
      <LicenceList licences={licences} />
      {mustAccept && (
        <label htmlFor={checkId} className="flex cursor-pointer items-start gap-2 text-sm">
          <input
            id={checkId}
            type="checkbox"
            data-testid="accept-licences"
            className="mt-0.5 size-4 shrink-0 accent-accent"
            checked={accepted}
            onChange={(event) => setAccepted(event.target.checked)}
          />
          <span>I have read these licences and accept them</span>
        </label>
      )}
      <FolderField
        id={`folder-${model.name}`}
        folder={folder}
        // What was found holds until another one is named.
        fault={faults.find((fault) => fault.folder === folder) ?? null}
        onChange={setFolder}
      />
      {error !== null && !isCoveredBy(error, [FOLDER]) && (
        <ErrorNote message={error.message} remedy={error.remedy} />
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" look="primary" data-testid="install" aria-disabled={busy || !ready}>
          {busy ? 'Sending…' : 'Install'}
        </Button>
        <Button look="quiet" onClick={props.onDone}>
          Not now
        </Button>
      </div>
    </form>
  );
}
