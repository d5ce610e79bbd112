import { type ApiError, fieldMessage } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { controlClass, Field, fieldProps } from '@/ui/field';
import type { ChangeDraft, LoopDraft } from './draft';

/** Two places typed by hand. */
export function HandFields(props: {
  track: Track;
  draft: LoopDraft;
  error: ApiError | null;
  onChange: ChangeDraft;
}) {
  const { draft, error, onChange } = props;
  const both = fieldMessage(error, 'points') ?? fieldMessage(error, 'snap_points');
  return (
    <div className="grid grid-cols-1 gap-3 pb-1">
      <div className="grid grid-cols-1 gap-3 min-[26rem]:grid-cols-2">
        <Place
          {...props}
          name="start"
          label="From"
          fault={fieldMessage(error, 'start_frame') ?? both}
        />
        <Place {...props} name="end" label="To" fault={fieldMessage(error, 'end_frame')} />
      </div>
      <label className="flex cursor-pointer items-start gap-2 text-sm">
        <input
          type="checkbox"
          data-testid="loop-snap"
          className="mt-1 accent-accent"
          checked={draft.snap}
          onChange={(event) => onChange({ snap: event.target.checked })}
        />
        <span>
          Snap <span className="text-muted">the end, by 50 ms at most, to where it fits best</span>
        </span>
      </label>
    </div>
  );
}

function Place(props: {
  track: Track;
  draft: LoopDraft;
  name: 'start' | 'end';
  label: string;
  fault: string | undefined;
  error: ApiError | null;
  onChange: ChangeDraft;
}) {
  const { name, fault, onChange } = props;
  const id = `loop-${name}-${props.track.trackId}`;
  return (
    <Field id={id} label={props.label} error={fault} remedy={fault && props.error?.remedy}>
      <input
        {...fieldProps(id, fault)}
        data-testid={`loop-${name}-field`}
        className={`${controlClass} figures`}
        autoComplete="off"
        placeholder={name === 'start' ? '0:04.000 or frames' : '0:36.000 or frames'}
        value={props.draft[name]}
        onChange={(event) =>
          onChange(name === 'start' ? { start: event.target.value } : { end: event.target.value })
        }
      />
    </Field>
  );
}
