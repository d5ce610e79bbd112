import { type LyricsFinding, LyricsFinding_Severity } from '@/gen/musicgen/api/engine/v1/engine_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import type { LyricsCheck } from './use-lyrics-check';

/** A button that checks, and what was found, line by line. */
export function LyricsFindings(props: {
  check: LyricsCheck;
  /** There is nothing to check. */
  empty: boolean;
  canUseTimes: boolean;
  onUseTimes: () => void;
  onShowLine: (line: number) => void;
}) {
  const { check, empty } = props;
  const { findings = [] } = check;
  return (
    <div className="grid grid-cols-1 gap-2">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1.5">
        <Button
          data-testid="check-lyrics"
          aria-disabled={check.busy || empty}
          onClick={() => check.busy || empty || check.check()}
        >
          {check.busy ? 'Checking…' : 'Check lyrics'}
        </Button>
        {props.canUseTimes && check.current && (
          <Button look="quiet" data-testid="use-times" onClick={props.onUseTimes}>
            Use these times
          </Button>
        )}
        <span role="status" data-testid="lyrics-status" className="text-sm text-muted">
          {statusWords(check)}
        </span>
      </div>
      {findings.length > 0 && (
        <ul
          aria-label="What was found in the lyrics"
          className={`grid grid-cols-1 gap-2 ${check.current ? '' : 'opacity-60'}`}
        >
          {findings.map((finding) => (
            <Finding
              key={`${finding.line} ${finding.code} ${finding.message}`}
              finding={finding}
              onShowLine={props.onShowLine}
            />
          ))}
        </ul>
      )}
      {check.error !== null && (
        <ErrorNote message={check.error.message} remedy={check.error.remedy} />
      )}
    </div>
  );
}

const LOOKS: Record<LyricsFinding_Severity, { word: string; border: string; text: string }> = {
  [LyricsFinding_Severity.UNSPECIFIED]: { word: 'Note', border: 'border-edge', text: 'text-muted' },
  [LyricsFinding_Severity.NOTE]: { word: 'Note', border: 'border-edge', text: 'text-muted' },
  [LyricsFinding_Severity.WARNING]: { word: 'Warning', border: 'border-accent', text: 'text-ink' },
  [LyricsFinding_Severity.ERROR]: { word: 'Not sung', border: 'border-bad', text: 'text-bad' },
};

function Finding(props: { finding: LyricsFinding; onShowLine: (line: number) => void }) {
  const { line, severity, message, remedy } = props.finding;
  const look = LOOKS[severity];
  return (
    <li
      data-testid="finding"
      data-severity={LyricsFinding_Severity[severity].toLowerCase()}
      className={`border-l-2 pl-2.5 text-sm wrap-anywhere ${look.border}`}
    >
      <p className="flex flex-wrap items-baseline gap-x-2">
        {line > 0 ? (
          <button
            type="button"
            className="figures rounded font-medium underline decoration-edge underline-offset-3 hover:decoration-ink"
            onClick={() => props.onShowLine(line)}
          >
            Line {line}
          </button>
        ) : (
          <span className="font-medium">All lines</span>
        )}
        <span className={`plate ${look.text}`}>{look.word}</span>
      </p>
      <p>{message}</p>
      {remedy !== '' && <p className="text-muted">{remedy}</p>}
    </li>
  );
}

function statusWords(check: LyricsCheck): string {
  if (check.findings === undefined || check.busy) return '';
  if (!check.current) return 'Changed since the last check';
  if (check.findings.length === 0) return 'All lines can be sung';
  const { ERROR, WARNING } = LyricsFinding_Severity;
  const { findings } = check;
  const errors = findings.filter(({ severity }) => severity === ERROR).length;
  const warnings = findings.filter(({ severity }) => severity === WARNING).length;
  const notes = findings.length - errors - warnings;
  return [
    errors > 0 ? `${errors} not sung` : '',
    warnings > 0 ? counted(warnings, 'warning') : '',
    notes > 0 ? counted(notes, 'note') : '',
  ]
    .filter((words) => words !== '')
    .join(', ');
}

function counted(count: number, unit: string): string {
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}
