import { type ReactNode, useId } from 'react';
import { Button } from '@/ui/button';
import { type Choices, withPresent } from './choices';
import {
  type Playing,
  playingOf,
  withDuplicate,
  withMoved,
  withoutSection,
  withPlaying,
  withSection,
} from './edit';
import { type Faults, faultAt } from './faults';
import { ChoiceField, NumberField, ShareField } from './fields';
import { type Plan, partsOf, type Section } from './plan';
import { kindName, partName, percent, sectionName } from './plan-words';

/** Edits the section that is chosen: what it is, how long, how strong, and who plays. */
export function SectionForm(props: {
  plan: Plan;
  index: number;
  choices: Choices;
  faults: Faults;
  onEdit: (plan: Plan, path: string) => void;
  onSelect: (index: number) => void;
}) {
  const { plan, index, faults, onEdit } = props;
  const id = useId();
  const section = plan.sections[index];
  if (section === undefined) return null;
  const place = `sections[${index}]`;
  const at = (name: string) => faultAt(faults, `${place}.${name}`, true);
  const change = (part: Partial<Section>, name: string) =>
    onEdit(withSection(plan, index, part), `${place}.${name}`);
  const reorder = (next: Plan, selected: number) => {
    // Faults are known by place: another order leaves them without one.
    onEdit(next, 'sections');
    props.onSelect(Math.min(selected, next.sections.length - 1));
  };
  const name = sectionName(plan.sections, index);
  const last = plan.sections.length - 1;
  const whole = faultAt(faults, place);
  return (
    <fieldset
      data-testid="section-form"
      className="grid min-w-0 gap-3 rounded-lg border border-line bg-well/50 p-3"
    >
      <legend className="sr-only">{name}</legend>
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="wide font-semibold" role="status">
          {name}{' '}
          <span className="figures text-sm font-normal text-muted">
            section {index + 1} of {plan.sections.length}
          </span>
        </p>
        <div className="flex flex-wrap gap-1.5">
          <Tool
            label={`Move ${name} earlier`}
            testId="section-earlier"
            off={index === 0}
            onClick={() => reorder(withMoved(plan, index, -1), index - 1)}
          >
            ←<span className="max-sm:hidden"> Earlier</span>
          </Tool>
          <Tool
            label={`Move ${name} later`}
            testId="section-later"
            off={index === last}
            onClick={() => reorder(withMoved(plan, index, 1), index + 1)}
          >
            <span className="max-sm:hidden">Later </span>→
          </Tool>
          <Tool
            label={`Duplicate ${name}`}
            testId="section-duplicate"
            onClick={() => reorder(withDuplicate(plan, index), index + 1)}
          >
            Duplicate
          </Tool>
          <Tool
            label={`Remove ${name}`}
            testId="section-remove"
            off={last === 0}
            onClick={() => reorder(withoutSection(plan, index), index)}
          >
            Remove
          </Tool>
        </div>
      </div>
      <div className="grid grid-cols-2 items-start gap-3 sm:grid-cols-[2fr_1fr_2fr]">
        <ChoiceField
          id={`${id}-kind`}
          testId="section-kind"
          label="Kind"
          value={section.kind}
          choices={withPresent(props.choices.kinds, section.kind)}
          name={kindName}
          error={at('kind')}
          onChange={(kind) => change({ kind }, 'kind')}
        />
        <NumberField
          key={index}
          id={`${id}-bars`}
          testId="section-bars"
          label="Bars"
          whole
          value={section.bars}
          error={at('bars')}
          onChange={(bars) => change({ bars }, 'bars')}
        />
        <div className="max-sm:col-span-2">
          <ShareField
            id={`${id}-energy`}
            testId="section-energy"
            label="Energy"
            hint={percent(section.energy)}
            value={section.energy}
            error={at('energy')}
            onChange={(energy) => change({ energy }, 'energy')}
          />
        </div>
      </div>
      <fieldset className="grid min-w-0 gap-1.5">
        <legend className="plate mb-1.5">Who plays</legend>
        <div className="flex flex-wrap gap-1.5">
          {partsOf(plan).map((part) => (
            <PartSwitch
              key={part}
              part={partName(part)}
              playing={playingOf(section, part)}
              onChange={(playing) =>
                onEdit(withPlaying(plan, index, part, playing), `${place}.parts`)
              }
            />
          ))}
        </div>
        <Fault text={at('parts') ?? at('late')} />
      </fieldset>
      <Fault text={whole} />
    </fieldset>
  );
}

function Fault(props: { text: string | undefined }) {
  if (props.text === undefined) return null;
  return (
    <p role="alert" data-testid="field-error" className="text-sm font-medium text-bad">
      {props.text}
    </p>
  );
}

function Tool(props: {
  label: string;
  testId: string;
  off?: boolean;
  onClick: () => void;
  children: ReactNode;
}) {
  const { off = false } = props;
  return (
    <Button
      aria-label={props.label}
      data-testid={props.testId}
      aria-disabled={off}
      className="px-2.5! py-1!"
      onClick={() => off || props.onClick()}
    >
      {props.children}
    </Button>
  );
}

/** Two switches in one: whether a part plays, and whether only from the middle on. */
function PartSwitch(props: {
  part: string;
  playing: Playing;
  onChange: (playing: Playing) => void;
}) {
  const { part, playing, onChange } = props;
  const on = playing !== 'rests';
  const late = playing === 'enters';
  const look = on
    ? 'border-ink bg-ink text-page'
    : 'border-line bg-well text-muted hover:border-edge hover:text-ink';
  return (
    <span className={`inline-flex overflow-hidden rounded-full border text-sm ${look}`}>
      <button
        type="button"
        data-testid="section-part"
        aria-pressed={on}
        className="px-3 py-1 focus-visible:outline-offset-[-3px]"
        onClick={() => onChange(on ? 'rests' : 'plays')}
      >
        {part}
      </button>
      {on && (
        <button
          type="button"
          aria-pressed={late}
          aria-label={`${part} only from the middle on`}
          title="Only from the middle on"
          className={`border-l border-page/40 pr-2.5 pl-2 focus-visible:outline-offset-[-3px] ${late ? 'font-semibold' : 'opacity-60 hover:opacity-100'}`}
          onClick={() => onChange(late ? 'plays' : 'enters')}
        >
          {late ? '½ ✓' : '½'}
        </button>
      )}
    </span>
  );
}
