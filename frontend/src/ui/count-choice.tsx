const COUNTS = [1, 2, 3, 4];

/** How many of something, 1 to 4. */
export function CountChoice(props: {
  label: string;
  /** Before "-1" to "-4". */
  testId: string;
  count: number;
  onChange: (count: number) => void;
}) {
  return (
    <fieldset className="flex flex-wrap items-center gap-2">
      <legend className="sr-only">{props.label}</legend>
      <span aria-hidden="true" className="plate mr-1">
        {props.label}
      </span>
      {COUNTS.map((number) => (
        <button
          key={number}
          type="button"
          data-testid={`${props.testId}-${number}`}
          aria-pressed={props.count === number}
          className={`figures size-9 rounded-md border text-sm font-medium ${props.count === number ? 'border-accent bg-accent text-on-accent' : 'border-line bg-well hover:border-edge'}`}
          onClick={() => props.onChange(number)}
        >
          {number}
        </button>
      ))}
    </fieldset>
  );
}
