import type { Job } from '@/gen/musicgen/api/jobs/v1/job_pb';
import { LoopCandidate_Kind } from '@/gen/musicgen/api/looper/v1/loop_pb';
import { Button, buttonClass } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { DownIcon, SearchIcon } from '@/ui/icons';
import { ProgressDial } from '@/ui/progress-dial';
import { isEnded } from '@/watch/job-state';
import type { Cycle } from './draft';
import { counted, placeWords } from './loop-words';
import type { Search } from './use-search';

/** Looks for the track's loops: a button, how far it is, and what came of it. */
export function SearchPart(props: {
  search: Search;
  sampleRateHz: number;
  onUse: (cycle: Cycle) => void;
}) {
  const { search } = props;
  const { job, analysis, nearMiss } = search;
  const working = job !== undefined && !isEnded(job);
  const candidates = analysis?.candidates ?? [];
  const others = candidates.filter((one) => one.kind !== LoopCandidate_Kind.OWN);
  return (
    <div className="grid grid-cols-1 gap-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Button
          data-testid="find-loops"
          aria-disabled={search.busy}
          onClick={() => search.busy || search.find()}
        >
          <SearchIcon /> {job === undefined || working ? 'Find loops' : 'Find loops again'}
        </Button>
        <span role="status" data-testid="search-status" className="text-sm text-muted">
          {working && stageWords(job)}
          {!search.busy && candidates.length > 0 && foundWords(others.length)}
        </span>
        {working && (
          <Button look="quiet" className="ml-auto" onClick={search.cancel}>
            Cancel
          </Button>
        )}
      </div>
      {working && <ProgressDial label="Finding loops" fraction={job.progress?.fraction} />}
      {search.error !== null && !search.busy && (
        <ErrorNote message={search.error.message} remedy={search.error.remedy}>
          {nearMiss !== undefined && (
            <Button data-testid="use-near-miss" onClick={() => props.onUse(nearMiss)}>
              Use the nearest miss, {placeWords(nearMiss, props.sampleRateHz)}
            </Button>
          )}
        </ErrorNote>
      )}
      {job !== undefined && !working && candidates.length > 0 && <PointsFiles job={job} />}
    </div>
  );
}

function foundWords(count: number): string {
  return count > 0 ? `${counted(count, 'loop')} found, best first` : 'No other loop found';
}

function stageWords(job: Job): string {
  const stage = job.progress?.stage ?? '';
  if (stage === '') return 'Waits for a worker…';
  const named = stage.replaceAll('_', ' ');
  return `${named.charAt(0).toUpperCase()}${named.slice(1)}…`;
}

const FORMS: Readonly<Record<string, string>> = {
  json: 'JSON',
  csv: 'CSV',
  txt: 'Audacity labels',
  cue: 'Cue sheet',
};

/** The points for other programs. */
function PointsFiles(props: { job: Job }) {
  const files = props.job.result?.downloads ?? [];
  if (files.length === 0) return null;
  return (
    <div className="flex flex-wrap items-center gap-1.5">
      <span className="mr-0.5 inline-flex items-center gap-1.5 text-sm text-muted">
        <DownIcon /> Points for other programs
      </span>
      {files.map(({ path, fileName }) => {
        const extension = fileName.split('.').at(-1)?.toLowerCase() ?? '';
        return (
          <a
            key={path}
            data-testid={`points-${extension}`}
            className={buttonClass()}
            href={path}
            download={fileName}
          >
            {FORMS[extension] ?? extension.toUpperCase()}
          </a>
        );
      })}
    </div>
  );
}
