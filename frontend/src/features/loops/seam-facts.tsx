import type { ReactNode } from 'react';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { readSeam, type Seam, transitionWords } from './seam-report';

/** What a loop's seam measures: a line, and the figures behind it. */
export function SeamFacts(props: { track: Track }) {
  const seam = readSeam(props.track);
  if (seam === null) return null;
  return (
    <details data-testid="seam" className="-mt-1.5 text-sm">
      <summary className="w-fit rounded text-muted hover:text-ink">
        Seam:{' '}
        <span data-testid="seam-verdict" className={seam.clean ? 'text-good' : 'text-bad'}>
          {seam.clean ? 'clean' : 'may be heard'}
        </span>
        , {transitionWords(seam)}
      </summary>
      <SeamFigures seam={seam} />
    </details>
  );
}

function SeamFigures(props: { seam: Seam }) {
  const { seam } = props;
  return (
    <div className="grid grid-cols-1 gap-2 pt-2">
      {seam.faults.length > 0 && (
        <ul data-testid="seam-faults" className="list-inside list-disc text-bad">
          {seam.faults.map((fault) => (
            <li key={fault}>{fault}</li>
          ))}
        </ul>
      )}
      <dl className="grid grid-cols-2 gap-x-4 gap-y-2 sm:grid-cols-4">
        {seam.discontinuityRatio !== undefined && (
          <Fact name="Sharpest joint" hint="up to 1.5 is inaudible">
            {seam.discontinuityRatio.toFixed(2)} of the music’s
          </Fact>
        )}
        {seam.fluxPercentile !== undefined && (
          <Fact name="Change of sound" hint="of the music’s own changes are smaller">
            above {Math.round(seam.fluxPercentile)}%
          </Fact>
        )}
        <Fact name="Off the beat" hint="how late or early the start comes">
          {seam.beatErrorMs === undefined ? 'unknown' : `${seam.beatErrorMs.toFixed(1)} ms`}
        </Fact>
        {seam.loudnessStepDb !== undefined && (
          <Fact name="Step in loudness" hint="from the end to the start">
            {seam.loudnessStepDb.toFixed(1).replace('-', '−')} dB
          </Fact>
        )}
      </dl>
    </div>
  );
}

function Fact(props: { name: string; hint: string; children: ReactNode }) {
  return (
    <div title={props.hint}>
      <dt className="plate text-muted">{props.name}</dt>
      <dd className="figures">{props.children}</dd>
    </div>
  );
}
