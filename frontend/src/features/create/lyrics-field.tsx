import { type RefObject, useRef } from 'react';
import { controlClass, Field, fieldProps } from '@/ui/field';
import type { Draft } from './draft';
import { LyricsFindings } from './lyrics-findings';
import { useLyricsCheck } from './use-lyrics-check';

/** The words to sing, and what of them can't be sung if the engine tells that. */
export function LyricsField(props: {
  draft: Draft;
  /** The engine that checks them; undefined if it checks none. */
  checkedBy: string | undefined;
  error: string | undefined;
  remedy: string | undefined;
  onChange: (lyrics: string) => void;
}) {
  const { draft, checkedBy, onChange } = props;
  const area = useRef<HTMLTextAreaElement>(null);
  return (
    <div className="grid grid-cols-1 gap-2">
      <Field id="lyrics" label="Lyrics" error={props.error} remedy={props.remedy}>
        <textarea
          {...fieldProps('lyrics', props.error)}
          ref={area}
          dir="auto"
          data-testid="lyrics"
          className={`${controlClass} resize-y py-2`}
          rows={6}
          placeholder="Leave empty for instrumental music"
          value={draft.lyrics}
          onChange={(event) => onChange(event.target.value)}
        />
      </Field>
      {checkedBy !== undefined && (
        <Checked engine={checkedBy} draft={draft} area={area} onChange={onChange} />
      )}
    </div>
  );
}

function Checked(props: {
  engine: string;
  draft: Draft;
  area: RefObject<HTMLTextAreaElement | null>;
  onChange: (lyrics: string) => void;
}) {
  const check = useLyricsCheck(props.engine, props.draft);
  return (
    <LyricsFindings
      check={check}
      empty={props.draft.lyrics.trim() === ''}
      onUseTimes={() => props.onChange(check.timedLyrics)}
      canUseTimes={check.timedLyrics !== '' && check.timedLyrics !== props.draft.lyrics}
      onShowLine={(line) => selectLine(props.area.current, line)}
    />
  );
}

/** Takes the keyboard to a line, counted from 1. */
function selectLine(area: HTMLTextAreaElement | null, line: number): void {
  if (area === null) return;
  const lines = area.value.split('\n');
  const start = lines.slice(0, line - 1).reduce((sum, before) => sum + before.length + 1, 0);
  area.focus();
  area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
}
