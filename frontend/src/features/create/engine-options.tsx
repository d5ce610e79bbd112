import { type ApiError, fieldMessage } from '@/api/errors';
import { controlClass, Field, fieldProps } from '@/ui/field';
import type { OptionValue } from './draft';
import type { EngineOption } from './options-schema';

type Options = Readonly<Record<string, OptionValue>>;

/** Controls for an engine's own options. What is left empty is left to the engine. */
export function EngineOptions(props: {
  options: readonly EngineOption[];
  values: Options;
  error: ApiError | null;
  onChange: (name: string, value: OptionValue | undefined) => void;
}) {
  return (
    <div className="grid gap-4">
      {props.options.map((option) => {
        const id = `option-${option.name}`;
        const error = fieldMessage(props.error, option.name);
        if (option.kind === 'choices') {
          return (
            <ManyChoices
              key={option.name}
              option={option}
              error={error}
              value={props.values[option.name]}
              onChange={(value) => props.onChange(option.name, value)}
            />
          );
        }
        return (
          <Field key={option.name} id={id} label={option.label} error={error}>
            <OptionControl
              option={option}
              id={id}
              error={error}
              value={props.values[option.name]}
              onChange={(value) => props.onChange(option.name, value)}
            />
            {option.hint !== '' && <p className="text-sm text-muted">{option.hint}</p>}
          </Field>
        );
      })}
    </div>
  );
}

/** Any number of a list of words. */
function ManyChoices(props: {
  option: EngineOption;
  error: string | undefined;
  value: OptionValue | undefined;
  onChange: (value: OptionValue | undefined) => void;
}) {
  const { option, error } = props;
  const chosen = Array.isArray(props.value) ? (props.value as readonly string[]) : [];
  const toggle = (choice: string) => {
    const next = chosen.includes(choice)
      ? chosen.filter((other) => other !== choice)
      : [...chosen, choice];
    props.onChange(next.length === 0 ? undefined : next);
  };
  return (
    <fieldset data-testid={`option-${option.name}`} className="grid gap-1.5">
      <legend className="plate mb-1.5">{option.label}</legend>
      <div className="flex max-h-[8.75rem] flex-wrap gap-1.5 overflow-y-auto">
        {option.choices.map((choice) => {
          const on = chosen.includes(choice);
          return (
            <button
              key={choice}
              type="button"
              aria-pressed={on}
              className={`rounded-full border px-2.5 py-0.5 text-sm ${on ? 'border-accent bg-accent text-on-accent' : 'border-line text-muted hover:border-edge hover:text-ink'}`}
              onClick={() => toggle(choice)}
            >
              {choice.replaceAll('_', ' ')}
            </button>
          );
        })}
      </div>
      {option.hint !== '' && <p className="text-sm text-muted">{option.hint}</p>}
      {error !== undefined && (
        <p role="alert" data-testid="field-error" className="text-sm font-medium text-bad">
          {error}
        </p>
      )}
    </fieldset>
  );
}

function OptionControl(props: {
  option: EngineOption;
  id: string;
  error: string | undefined;
  value: OptionValue | undefined;
  onChange: (value: OptionValue | undefined) => void;
}) {
  const { option, value, onChange } = props;
  const shared = { ...fieldProps(props.id, props.error), 'data-testid': props.id };
  const left = option.standard === undefined ? 'Engine decides' : `${option.standard}`;
  if (option.kind === 'choice' || option.kind === 'boolean') {
    const choices = option.kind === 'boolean' ? ['true', 'false'] : option.choices;
    const names: Record<string, string> =
      option.kind === 'boolean' ? { true: 'On', false: 'Off' } : {};
    const read = (text: string): OptionValue | undefined => {
      if (text === '') return undefined;
      return option.kind === 'boolean' ? text === 'true' : text;
    };
    return (
      <select
        {...shared}
        className={controlClass}
        value={value === undefined ? '' : String(value)}
        onChange={(event) => onChange(read(event.target.value))}
      >
        <option value="">
          {option.standard === undefined ? left : `Default (${names[left] ?? left})`}
        </option>
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {names[choice] ?? choice}
          </option>
        ))}
      </select>
    );
  }
  const isNumber = option.kind !== 'string';
  return (
    <input
      {...shared}
      className={controlClass}
      type={isNumber ? 'number' : 'text'}
      step={option.kind === 'integer' ? 1 : 'any'}
      min={option.minimum}
      max={option.maximum}
      placeholder={left}
      value={value === undefined ? '' : String(value)}
      onChange={(event) => {
        const text = event.target.value;
        if (text === '') onChange(undefined);
        else onChange(isNumber ? Number(text) : text);
      }}
    />
  );
}
