import type { StateWord } from './model-words';

const LOOKS: Record<StateWord['tone'], string> = {
  good: 'text-good',
  bad: 'text-bad',
  none: 'text-muted',
};

/** How something stands, in a word. */
export function StateBadge(props: { state: StateWord; testId: string }) {
  return (
    <span data-testid={props.testId} className={`plate shrink-0 ${LOOKS[props.state.tone]}`}>
      {props.state.word}
    </span>
  );
}
