import type { ReactNode } from 'react';

/** A mark of the scale: where it is (0 to 1) and what it says. */
export interface Mark {
  readonly at: number;
  readonly label: string;
}

/** A window of lit glass with a scale above and, when something moves, a needle. */
export function Dial(props: {
  marks: readonly Mark[];
  /** Where the needle stands, 0 to 1; absent: no needle. */
  needle?: number | undefined;
  children?: ReactNode;
}) {
  return (
    <div className="glass relative overflow-hidden rounded-lg px-3 pt-1.5 pb-2">
      <div className="relative">
        <div aria-hidden="true" className="figures relative h-5 text-[0.6875rem] text-glow-text">
          {props.marks.map((mark) => (
            <span
              key={mark.at}
              className={`absolute top-0 whitespace-nowrap ${shift(mark.at)}`}
              style={{ left: `${mark.at * 100}%` }}
            >
              {mark.label}
            </span>
          ))}
        </div>
        {props.children}
        {props.needle !== undefined && (
          <div
            aria-hidden="true"
            className="pointer-events-none absolute top-4 bottom-0 w-0.5 -translate-x-1/2 rounded-full bg-needle shadow-[0_0_10px_var(--needle)]"
            style={{ left: `${props.needle * 100}%` }}
          />
        )}
      </div>
    </div>
  );
}

/** The outermost labels stay inside the glass. */
function shift(at: number): string {
  if (at < 0.02) return '';
  return at > 0.98 ? '-translate-x-full' : '-translate-x-1/2';
}
