import { useState } from 'react';
import { controlClass, Field, fieldProps } from '@/ui/field';
import { percent } from './plan-words';

/** A number as typed: half a number on the way to another one is none. */
export function NumberField(props: {
  id: string;
  testId: string;
  label: string;
  value: number;
  unit?: string;
  whole?: boolean;
  error: string | undefined;
  /** NaN for what is no number. */
  onChange: (value: number) => void;
}) {
  const { value, onChange } = props;
  const [typed, setTyped] = useState(Number.isNaN(value) ? '' : String(value));
  // What was changed elsewhere shows here; what is being typed stays as it is.
  const shown = Number.isNaN(value) || read(typed) === value ? typed : String(value);
  return (
    <Field
      id={props.id}
      label={props.label}
      error={props.error}
      aside={props.unit && <span className="text-sm text-muted">{props.unit}</span>}
    >
      <input
        {...fieldProps(props.id, props.error)}
        data-testid={props.testId}
        type="text"
        inputMode={props.whole ? 'numeric' : 'decimal'}
        autoComplete="off"
        className={`${controlClass} figures`}
        value={shown}
        onChange={(event) => {
          setTyped(event.target.value);
          onChange(read(event.target.value));
        }}
        onKeyDown={(event) => {
          const step = { ArrowUp: 1, ArrowDown: -1 }[event.key];
          if (step === undefined || Number.isNaN(value)) return;
          event.preventDefault();
          onChange(Math.round((value + step) * 100) / 100);
        }}
      />
    </Field>
  );
}

function read(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text.trim().replace(',', '.'));
}

/** A share from nothing to `max`, by slider. */
export function ShareField(props: {
  id: string;
  testId: string;
  label: string;
  value: number;
  max?: number;
  disabled?: boolean;
  hint?: string;
  error: string | undefined;
  onChange: (value: number) => void;
}) {
  const { value, max = 1, disabled = false } = props;
  return (
    <Field
      id={props.id}
      label={props.label}
      error={props.error}
      aside={<span className="figures text-sm text-muted">{props.hint ?? percent(value)}</span>}
    >
      <input
        {...fieldProps(props.id, props.error)}
        data-testid={props.testId}
        type="range"
        className="h-10 w-full"
        min={0}
        max={max}
        step={0.01}
        disabled={disabled}
        value={value}
        aria-valuetext={percent(value)}
        onChange={(event) => props.onChange(Number(event.target.value))}
      />
    </Field>
  );
}

/** One of a list of names. */
export function ChoiceField(props: {
  id: string;
  testId: string;
  label: string;
  value: string;
  choices: readonly string[];
  name: (choice: string) => string;
  error: string | undefined;
  onChange: (value: string) => void;
}) {
  return (
    <Field id={props.id} label={props.label} error={props.error}>
      <select
        {...fieldProps(props.id, props.error)}
        data-testid={props.testId}
        className={controlClass}
        value={props.value}
        onChange={(event) => props.onChange(event.target.value)}
      >
        {props.choices.map((choice) => (
          <option key={choice} value={choice}>
            {props.name(choice)}
          </option>
        ))}
      </select>
    </Field>
  );
}
