import type { ReactNode } from 'react';

/** One of the cycles that can be chosen: a radio, its words, and what belongs to it. */
export function ChoiceRow(props: {
  id: string;
  group: string;
  testId: string;
  checked: boolean;
  onChoose: () => void;
  title: ReactNode;
  facts?: ReactNode;
  /** Beside the words; not part of what choosing it means. */
  action?: ReactNode;
  /** Below, across the whole width. */
  children?: ReactNode;
}) {
  const look = props.checked
    ? 'border-accent shadow-[inset_0_0_0_1px_var(--accent)]'
    : 'border-line hover:border-edge';
  return (
    <li
      data-testid={props.testId}
      className={`grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-3 gap-y-2 rounded-lg border bg-well px-3 py-2 ${look}`}
    >
      <input
        type="radio"
        id={props.id}
        name={props.group}
        className="size-4 accent-accent"
        checked={props.checked}
        onChange={props.onChoose}
      />
      <label htmlFor={props.id} className="min-w-0 cursor-pointer">
        <span className="figures text-sm font-medium">{props.title}</span>
        {props.facts !== undefined && (
          <span className="figures block text-sm wrap-anywhere text-muted">{props.facts}</span>
        )}
      </label>
      {props.action ?? <span />}
      {props.children !== undefined && <div className="col-span-3">{props.children}</div>}
    </li>
  );
}
