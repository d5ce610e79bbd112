import { type Counts, countWords } from './batch';

/** How the jobs of a batch are doing, as shares of one bar of lit glass. */
export function StateBar(props: { counts: Counts }) {
  const { counts } = props;
  const parts: [keyof Counts, string][] = [
    ['succeeded', 'bg-glow'],
    ['working', 'bg-glow-dim animate-pulse'],
    ['failed', 'bg-needle'],
    ['cancelled', 'bg-glow-text/35'],
    ['waiting', ''],
  ];
  return (
    <div
      role="img"
      aria-label={countWords(counts)}
      data-testid="state-bar"
      className="glass flex h-4 gap-px overflow-hidden rounded-md p-1"
    >
      {parts
        .filter(([state]) => counts[state] > 0)
        .map(([state, look]) => (
          <span
            key={state}
            data-state={state}
            className={`min-w-1 rounded-xs transition-[flex-grow] duration-300 ${look}`}
            style={{ flexGrow: counts[state] }}
          />
        ))}
    </div>
  );
}
