import { buttonClass } from '@/ui/button';
import { EngineIcon } from '@/ui/icons';
import { fractionOf } from '@/watch/progress-words';
import { useJobsView } from '@/watch/react';
import { openWork } from './use-work';

/** The way to engines and models; while something of them is being fetched or made, how far. */
export function EnginesButton(props: { onOpen: () => void }) {
  const work = openWork(useJobsView());
  const shares = work.map((job) => fractionOf(job) ?? 0);
  const working = work.length > 0;
  // A phone has room for the word or for the number.
  return (
    <button
      type="button"
      data-testid="engines"
      aria-haspopup="dialog"
      className={`${buttonClass()} h-9`}
      onClick={props.onOpen}
    >
      <span className={working ? '' : 'max-sm:hidden'}>
        <EngineIcon />
      </span>
      <span className={working ? 'max-sm:sr-only' : ''}>Engines</span>
      {working && (
        <span data-testid="engines-progress" className="figures text-xs text-muted">
          {Math.floor(Math.max(...shares) * 100)}%
        </span>
      )}
    </button>
  );
}
