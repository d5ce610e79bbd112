import type { KeyboardEvent, PointerEvent, ReactNode, RefObject } from 'react';
import { clock } from '@/ui/time';

const STEP_SECONDS = 5;

/** What says where a tape plays, and takes it elsewhere: by pointer and by keyboard. */
export function SeekSlider(props: {
  title: string;
  testId: string;
  durationSeconds: number;
  positionSeconds: number;
  /** Whether less than the whole is there: how far it can go, for those who don't see it. */
  reachSeconds?: number;
  /** The element whose width stands for the whole length. */
  box: RefObject<HTMLElement | null>;
  onSeek: (seconds: number) => void;
  children: ReactNode;
}) {
  const { durationSeconds, positionSeconds, reachSeconds = durationSeconds, onSeek } = props;
  const seekTo = (event: PointerEvent) => {
    const area = props.box.current?.getBoundingClientRect();
    if (area === undefined || area.width === 0) return;
    const share = Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
    onSeek(Math.min(reachSeconds, share * durationSeconds));
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = keyTarget(event.key, positionSeconds, durationSeconds);
    if (target === undefined) return;
    event.preventDefault();
    onSeek(Math.min(reachSeconds, Math.max(0, target)));
  };
  const place = `${clock(positionSeconds)} of ${clock(durationSeconds)}`;
  return (
    <div
      role="slider"
      tabIndex={0}
      data-testid={props.testId}
      aria-label={`Position in ${props.title}`}
      aria-valuemin={0}
      aria-valuemax={Math.round(durationSeconds)}
      aria-valuenow={Math.round(positionSeconds)}
      aria-valuetext={
        reachSeconds < durationSeconds ? `${place}, ${clock(reachSeconds)} can be heard` : place
      }
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
      {props.children}
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
