import { type KeyboardEvent, type PointerEvent, useRef } from 'react';
import { Dial } from '@/ui/dial';
import { LitPath } from '@/ui/lit-path';
import { clock, scaleSteps } from '@/ui/time';
import { useColumns } from './use-columns';

const STEP_SECONDS = 5;

/** A track's waveform behind glass; also the slider that says where it plays. */
export function Waveform(props: {
  title: string;
  peaksUrl: string;
  durationSeconds: number;
  positionSeconds: number;
  onSeek: (seconds: number) => void;
}) {
  const { durationSeconds, positionSeconds, onSeek } = props;
  const box = useRef<HTMLDivElement>(null);
  const { count, path, failed } = useColumns(props.peaksUrl, box);
  const fraction = durationSeconds > 0 ? Math.min(1, positionSeconds / durationSeconds) : 0;

  const seekTo = (event: PointerEvent) => {
    const area = box.current?.getBoundingClientRect();
    if (area === undefined || area.width === 0) return;
    const share = Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
    onSeek(share * durationSeconds);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = keyTarget(event.key, positionSeconds, durationSeconds);
    if (target === undefined) return;
    event.preventDefault();
    onSeek(Math.min(durationSeconds, Math.max(0, target)));
  };

  const marks = scaleSteps(durationSeconds, Math.min(6, Math.floor(count / 16))).map((at) => ({
    at: at / durationSeconds,
    label: clock(at),
  }));
  return (
    <div
      role="slider"
      tabIndex={0}
      data-testid="waveform"
      aria-label={`Position in ${props.title}`}
      aria-valuemin={0}
      aria-valuemax={Math.round(durationSeconds)}
      aria-valuenow={Math.round(positionSeconds)}
      aria-valuetext={`${clock(positionSeconds)} of ${clock(durationSeconds)}`}
      className="cursor-pointer touch-pan-y rounded-lg select-none"
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        seekTo(event);
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) seekTo(event);
      }}
    >
      <Dial marks={marks} needle={fraction}>
        <div ref={box} className="h-16" data-drawn={path !== null}>
          {path !== null && (
            <LitPath
              className="h-full"
              d={path}
              width={count}
              height={2}
              strokeWidth={2}
              lit={fraction}
            />
          )}
          {failed && (
            <p className="grid h-full place-items-center text-sm text-glow-text">
              No picture of the sound; it still plays.
            </p>
          )}
        </div>
      </Dial>
    </div>
  );
}

function keyTarget(key: string, position: number, duration: number): number | undefined {
  switch (key) {
    case 'ArrowRight':
    case 'ArrowUp':
      return position + STEP_SECONDS;
    case 'ArrowLeft':
    case 'ArrowDown':
      return position - STEP_SECONDS;
    case 'PageUp':
      return position + duration / 10;
    case 'PageDown':
      return position - duration / 10;
    case 'Home':
      return 0;
    case 'End':
      return duration;
    default:
      return undefined;
  }
}
