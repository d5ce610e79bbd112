import { useState } from 'react';
import { sentence } from '@/api/errors';
import { isInstalled } from '@/calls/engine-facts';
import { useCreateJob } from '@/calls/use-create-job';
import { type Model, Model_State } from '@/gen/musicgen/api/inference/v1/model_pb';
import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { Button } from '@/ui/button';
import { ConfirmButton } from '@/ui/confirm-button';
import { ErrorNote } from '@/ui/error-note';
import { takeLostFocus } from '@/ui/focus';
import { folderFaultOf } from './folder-field';
import { InstallPart } from './install-part';
import { LicenceList, NonCommercial } from './licence-list';
import { licencesOf } from './licences';
import { modelFacts, modelWord } from './model-words';
import { StateBadge } from './state-badge';
import { useModelCalls } from './use-model-call';
import { useWork } from './use-work';
import { WorkPart } from './work-part';

/** A model: what it is, how it stands here, and what can be done with it. */
export function ModelCard(props: {
  model: Model;
  /** What is installed with it. */
  parts: readonly Model[];
  /** Whether its engine could load it now. */
  canLoad: boolean;
}) {
  const { model, parts } = props;
  const name = model.displayName || model.name;
  const work = useWork({ model: model.name });
  const [installing, setInstalling] = useState<boolean | null>(null);
  const licences = licencesOf([model, ...parts]);
  const here = isInstalled(model);
  const folderFault = folderFaultOf(work.failed);
  const asking = work.open === undefined && !here && installing === true;
  return (
    <li
      data-testid="model"
      data-model={model.name}
      data-state={Model_State[model.state].toLowerCase()}
      className="grid grid-cols-1 gap-2.5 rounded-lg border border-line bg-well p-3"
    >
      <div>
        <p className="flex flex-wrap items-baseline justify-between gap-x-3">
          <span className="font-semibold">{name}</span>
          <StateBadge state={modelWord(model)} testId="model-state" />
        </p>
        <p className="max-w-prose text-sm">{model.description}</p>
        <p className="figures text-sm text-muted">{modelFacts(model, parts)}</p>
      </div>
      {licences.some(({ licence }) => licence.nonCommercial) && (
        <p>
          <NonCommercial />
        </p>
      )}
      {model.detail !== '' && (
        <p
          data-testid="model-detail"
          className={`text-sm wrap-anywhere ${model.state === Model_State.CORRUPT ? 'text-bad' : 'text-muted'}`}
        >
          {sentence(model.detail)}
        </p>
      )}
      {here && (
        <details className="text-sm">
          <summary className="w-fit rounded text-muted hover:text-ink">Licences</summary>
          <div className="pt-2">
            <LicenceList licences={licences} />
          </div>
        </details>
      )}
      {work.open === undefined && here && <InstalledActions {...props} name={name} />}
      {work.open === undefined && !here && installing !== true && (
        <div className="flex flex-wrap items-center gap-2">
          <Button
            ref={installing === false ? takeLostFocus : undefined}
            data-testid="install-open"
            aria-label={`Install ${name}…`}
            aria-expanded={false}
            onClick={() => setInstalling(true)}
          >
            {model.state === Model_State.CORRUPT ? 'Install again…' : 'Install…'}
          </Button>
          {model.installedBytes > 0n && <RemoveButton model={model} name={name} />}
        </div>
      )}
      {asking && (
        <InstallPart
          model={model}
          parts={parts}
          folderFault={folderFault}
          onDone={() => setInstalling(false)}
        />
      )}
      {!(asking && folderFault !== null) && <WorkPart work={work} name={name} title={titleOf} />}
    </li>
  );
}

function InstalledActions(props: { model: Model; canLoad: boolean; name: string }) {
  const { model, name } = props;
  const calls = useModelCalls(model.name);
  const verifying = useCreateJob();
  const error = calls.error ?? verifying.error;
  const loaded = model.state === Model_State.LOADED;
  const loading = model.state === Model_State.LOADING;
  return (
    <>
      <div className="flex flex-wrap items-center gap-2">
        {(loaded || loading || props.canLoad) && (
          <Button
            data-testid={loaded ? 'unload' : 'load'}
            aria-label={`${loaded ? 'Unload' : 'Load'} ${name}`}
            aria-disabled={calls.busy || loading}
            onClick={() => {
              if (calls.busy || loading) return;
              if (loaded) calls.unload();
              else calls.load();
            }}
          >
            {loaded && 'Unload'}
            {!loaded && (loading ? 'Loading…' : 'Load')}
          </Button>
        )}
        <Button
          data-testid="verify"
          aria-label={`Verify ${name}`}
          aria-disabled={verifying.busy}
          onClick={() => {
            if (verifying.busy) return;
            void verifying.createJob({ case: 'verifyModel', value: { model: model.name } });
          }}
        >
          Verify
        </Button>
        <ConfirmButton
          testId="remove-model"
          label="Remove"
          name={`Remove ${name}`}
          sure="Remove from the disk"
          busy={calls.busy}
          onSure={calls.remove}
        />
      </div>
      {error !== null && <ErrorNote message={error.message} remedy={error.remedy} />}
    </>
  );
}

/** For what is on the disk of a model that is not whole. */
function RemoveButton(props: { model: Model; name: string }) {
  const calls = useModelCalls(props.model.name);
  return (
    <>
      <ConfirmButton
        testId="remove-model"
        label="Remove"
        name={`Remove ${props.name}`}
        sure="Remove from the disk"
        busy={calls.busy}
        onSure={calls.remove}
      />
      {calls.error !== null && (
        <ErrorNote message={calls.error.message} remedy={calls.error.remedy} />
      )}
    </>
  );
}

function titleOf(job: Job): string {
  return job.spec?.kind.case === 'verifyModel' ? 'Verifying' : 'Installing';
}
