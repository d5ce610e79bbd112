import { useRef } from 'react';
import { LitPath } from '@/ui/lit-path';
import { useColumns } from './use-columns';

/** A track's waveform, small, with the stretch from one share of it to another lit. */
export function CycleWave(props: { peaksUrl: string; from: number; to: number }) {
  const box = useRef<HTMLDivElement>(null);
  const { count, path, failed } = useColumns(props.peaksUrl, box);
  if (failed) return null;
  const share = (at: number) => `${Math.min(1, Math.max(0, at)) * 100}%`;
  return (
    <div aria-hidden="true" data-testid="cycle-wave" className="glass rounded-md px-2 py-1">
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
