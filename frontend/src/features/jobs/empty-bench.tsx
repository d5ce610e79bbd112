import { RestingScale } from '@/ui/progress-dial';
import { useConnection } from '@/watch/react';

/** The dial at rest. */
export function EmptyBench(props: { ready: boolean }) {
  const connection = useConnection();
  return (
    <div className="glass relative overflow-hidden rounded-xl px-5 pt-5 pb-6 text-glow-text">
      <RestingScale />
      <div className="mt-5 min-h-18">
        {props.ready ? (
          <>
            <p className="wide font-semibold text-glow">Nothing in work</p>
            <p className="mt-1 max-w-prose text-sm">
              Describe a track and press “Make track”. You can watch it being made here, or close
              the page meanwhile: the work goes on.
            </p>
          </>
        ) : (
          <p className="text-sm">
            {connection === 'reconnecting'
              ? 'The studio does not answer. Trying again…'
              : 'Asking the studio what it is doing…'}
          </p>
        )}
      </div>
    </div>
  );
}
