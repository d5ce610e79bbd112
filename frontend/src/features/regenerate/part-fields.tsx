import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { controlClass, Field, fieldProps } from '@/ui/field';
import { exactClock } from '@/ui/time';
import { type Part, type PartFault, rangeOf } from './parts';
import type { RegenerateSlots } from './slots';

/** A part of a track: marked in its picture, typed, or taken from where the player stands. */
export function PartFields(props: {
  track: Track;
  lengthSeconds: number;
  part: Part;
  number: number;
  fault: PartFault | undefined;
  slots: RegenerateSlots;
  onChange: (ends: Partial<Part>) => void;
  /** Absent for the only one. */
  onRemove: (() => void) | undefined;
}) {
  const { track, lengthSeconds, part, number, slots, onChange } = props;
  const { startSeconds, endSeconds } = rangeOf(part);
  const share = (seconds: number) =>
    Number.isNaN(seconds) || lengthSeconds <= 0 ? 0 : Math.min(1, seconds / lengthSeconds);
  const mark = (from: number, to: number) =>
    onChange({ start: exactClock(from * lengthSeconds), end: exactClock(to * lengthSeconds) });
  return (
    <fieldset
      data-testid="part"
      className="grid min-w-0 grid-cols-1 gap-2.5 rounded-lg border border-line bg-well p-3"
    >
      <legend className="sr-only">Part {number}</legend>
      <div className="flex items-center justify-between gap-3">
        <span aria-hidden="true" className="plate">
          Part {number}
        </span>
        <span className="flex gap-1">
          <Button
            look="quiet"
            data-testid="part-play"
            aria-label={`Play from the start of part ${number}`}
            aria-disabled={Number.isNaN(startSeconds)}
            onClick={() => Number.isNaN(startSeconds) || slots.playFrom(track, startSeconds)}
          >
            Listen
          </Button>
          {props.onRemove !== undefined && (
            <Button
              look="quiet"
              data-testid="part-remove"
              aria-label={`Remove part ${number}`}
              onClick={props.onRemove}
            >
              Remove
            </Button>
          )}
        </span>
      </div>
      {slots.picture(track, share(startSeconds), share(endSeconds), mark)}
      <div className="grid grid-cols-1 gap-3 min-[26rem]:grid-cols-2">
        <End
          {...props}
          end="start"
          label="From"
          hereName={`Part ${number} from here`}
          fallback={0}
        />
        <End
          {...props}
          end="end"
          label="To"
          hereName={`Part ${number} to here`}
          fallback={lengthSeconds}
        />
      </div>
    </fieldset>
  );
}

function End(props: {
  track: Track;
  part: Part;
  fault: PartFault | undefined;
  slots: RegenerateSlots;
  onChange: (ends: Partial<Part>) => void;
  end: 'start' | 'end';
  label: string;
  hereName: string;
  /** Where it is if the player doesn't stand in this track. */
  fallback: number;
}) {
  const { track, part, end, onChange } = props;
  const id = `part-${track.trackId}-${part.key}-${end}`;
  const fault = props.fault?.[end];
  return (
    <Field id={id} label={props.label} error={fault}>
      <div className="grid grid-cols-[minmax(0,1fr)_auto] gap-2">
        <input
          {...fieldProps(id, fault)}
          data-testid={`part-${end}`}
          className={`${controlClass} figures`}
          autoComplete="off"
          placeholder={end === 'start' ? '0:42.5' : '0:58'}
          value={part[end]}
          onChange={(event) => onChange({ [end]: event.target.value })}
        />
        <Button
          data-testid={`part-${end}-here`}
          aria-label={props.hereName}
          onClick={() =>
            onChange({
              [end]: exactClock(props.slots.positionSeconds(track) ?? props.fallback),
            })
          }
        >
          {end === 'start' ? 'From here' : 'To here'}
        </Button>
      </div>
    </Field>
  );
}
