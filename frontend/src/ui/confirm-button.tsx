import { type ReactNode, useState } from 'react';
import { Button } from './button';
import { takeLostFocus } from './focus';

/** Two presses, so that nothing goes by a slip. */
export function ConfirmButton(props: {
  testId: string;
  label: ReactNode;
  /** What it is called when it was pressed once. */
  sure: ReactNode;
  /** For those who don't see what it belongs to. */
  name?: string;
  busy?: boolean;
  onSure: () => void;
}) {
  const [sure, setSure] = useState(false);
  const [asked, setAsked] = useState(false);
  if (!sure) {
    return (
      <Button
        ref={asked ? takeLostFocus : undefined}
        look="quiet"
        data-testid={props.testId}
        aria-label={props.name}
        aria-disabled={props.busy}
        onClick={() => {
          if (props.busy) return;
          setSure(true);
          setAsked(true);
        }}
      >
        {props.label}
      </Button>
    );
  }
  // "Keep" comes up where the first was: a double click, or Enter twice, loses nothing.
  return (
    <>
      <Button key="keep" ref={takeLostFocus} look="quiet" onClick={() => setSure(false)}>
        Keep
      </Button>
      <Button
        data-testid={`${props.testId}-sure`}
        className="text-bad!"
        onClick={() => {
          setSure(false);
          props.onSure();
        }}
      >
        {props.sure}
      </Button>
    </>
  );
}
