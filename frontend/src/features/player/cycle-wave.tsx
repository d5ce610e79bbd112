import { type PointerEvent, useRef } from 'react';
import { LitPath } from '@/ui/lit-path';
import { useColumns } from './use-columns';

/** Presses that hardly move are none that mark something. */
const LEAST_SHARE = 0.005;

/** A small picture of a track's sound, lit from one share of its length to another. */
export function CycleWave(props: {
  peaksUrl: string;
  from: number;
  to: number;
  /** Lets a pointer mark another part; whoever can't point has fields for that. */
  onMark?: (from: number, to: number) => void;
}) {
  const { onMark } = props;
  const box = useRef<HTMLDivElement>(null);
  const began = useRef(0);
  const { count, path, failed } = useColumns(props.peaksUrl, box);
  if (failed) return null;
  const share = (at: number) => `${Math.min(1, Math.max(0, at)) * 100}%`;
  const placeOf = (event: PointerEvent): number => {
    const area = box.current?.getBoundingClientRect();
    if (area === undefined || area.width === 0) return 0;
    return Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
  };
  const marking =
    onMark === undefined
      ? {}
      : {
          onPointerDown: (event: PointerEvent) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            began.current = placeOf(event);
          },
          onPointerMove: (event: PointerEvent) => {
            if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
            const [start, now] = [began.current, placeOf(event)];
            if (Math.abs(now - start) < LEAST_SHARE) return;
            onMark(Math.min(start, now), Math.max(start, now));
          },
        };
  return (
    <div
      aria-hidden="true"
      data-testid="cycle-wave"
      className={`glass rounded-md px-2 py-1 ${onMark === undefined ? '' : 'cursor-text touch-pan-y select-none'}`}
      {...marking}
    >
      <div ref={box} className="relative h-8">
        <div
          className="absolute inset-y-0 rounded-sm bg-glow/12"
          style={{ left: share(props.from), right: share(1 - props.to) }}
        />
        {path !== null && (
          <LitPath
            className="h-full"
            d={path}
            width={count}
            height={2}
            strokeWidth={2}
            from={props.from}
            lit={props.to}
          />
        )}
      </div>
    </div>
  );
}
