import { useRef } from 'react';
import { Dial } from '@/ui/dial';
import { LitPath } from '@/ui/lit-path';
import { clock, scaleSteps } from '@/ui/time';
import { SeekSlider } from './seek-slider';
import { useColumns } from './use-columns';

/** A track's waveform behind glass; also the slider that says where it plays. */
export function Waveform(props: {
  title: string;
  peaksUrl: string;
  durationSeconds: number;
  positionSeconds: number;
  onSeek: (seconds: number) => void;
}) {
  const { durationSeconds, positionSeconds } = props;
  const box = useRef<HTMLDivElement>(null);
  const { count, path, failed } = useColumns(props.peaksUrl, box);
  const fraction = durationSeconds > 0 ? Math.min(1, positionSeconds / durationSeconds) : 0;
  const marks = scaleSteps(durationSeconds, Math.min(6, Math.floor(count / 16))).map((at) => ({
    at: at / durationSeconds,
    label: clock(at),
  }));
  return (
    <SeekSlider
      title={props.title}
      testId="waveform"
      durationSeconds={durationSeconds}
      positionSeconds={positionSeconds}
      box={box}
      onSeek={props.onSeek}
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
    </SeekSlider>
  );
}
