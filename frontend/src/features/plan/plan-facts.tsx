import type { ReactNode } from 'react';
import { lengthWords } from '@/ui/time';
import { keyName, metreOf } from './music';
import { barsOf, chordsOf, type Plan, partsOf, secondsOf } from './plan';
import {
  barWords,
  correctedWords,
  LOOP_NAMES,
  loopsPlayed,
  partName,
  percent,
  plain,
  understoodWords,
} from './plan-words';
import type { Recipe } from './recipe';

/** What was taken out of the prompt, and what was not. */
export function Understood(props: { recipe: Recipe }) {
  const { recipe } = props;
  const understood = understoodWords(recipe.understood);
  const corrected = correctedWords(recipe.understood);
  return (
    <dl className="grid grid-cols-1 gap-x-4 gap-y-2 text-sm sm:grid-cols-[auto_minmax(0,1fr)]">
      <Chips
        name="Understood"
        testId="understood"
        words={understood}
        none="nothing in particular"
      />
      {corrected.length > 0 && <Chips name="Read" testId="corrected" words={corrected} />}
      {recipe.ignored.length > 0 && (
        <Chips name="Not used" testId="ignored" words={recipe.ignored} faint />
      )}
      {recipe.notes.map((note) => (
        <dd key={note} className="text-muted sm:col-start-2">
          {note}
        </dd>
      ))}
    </dl>
  );
}

function Chips(props: {
  name: string;
  testId: string;
  words: readonly string[];
  none?: string;
  faint?: boolean;
}) {
  const look = props.faint
    ? 'border-dashed border-edge text-muted'
    : 'border-line bg-well text-ink';
  return (
    <>
      <dt className="plate pt-1 text-muted">{props.name}</dt>
      <dd data-testid={props.testId} className="flex flex-wrap gap-1.5">
        {props.words.length === 0 && <span className="text-muted">{props.none}</span>}
        {props.words.map((word) => (
          <span key={word} className={`rounded-full border px-2.5 py-px wrap-anywhere ${look}`}>
            {word}
          </span>
        ))}
      </dd>
    </>
  );
}

/** The plan's decisions, read rather than edited. */
export function PlanFacts(props: { plan: Plan }) {
  const { plan } = props;
  const swing = metreOf(plan.metre).even && plan.swing > 0 ? percent(plan.swing) : 'none';
  return (
    <div className="grid grid-cols-1 gap-4">
      <dl className="grid grid-cols-2 gap-x-4 gap-y-2.5 sm:grid-cols-4">
        <Fact name="Tempo">{Math.round(plan.tempo_bpm * 100) / 100} bpm</Fact>
        <Fact name="Key">{keyName(plan.tonic, plan.mode)}</Fact>
        <Fact name="Metre">{plan.metre}</Fact>
        <Fact name="Swing">{swing}</Fact>
        <Fact name="Energy">{percent(plan.energy)}</Fact>
        <Fact name="Background">{plan.texture === '' ? 'none' : plain(plan.texture)}</Fact>
        <Fact name="Style">{plain(plan.family)}</Fact>
        <Fact name="Length">
          {lengthWords(secondsOf(plan))}, {barWords(barsOf(plan))}
        </Fact>
      </dl>
      <div className="grid grid-cols-1 gap-4 sm:grid-cols-2">
        <Table name="Who plays" rows={bandRows(plan)} />
        <Table
          name="Chords"
          rows={loopsPlayed(plan).map((loop) => [
            LOOP_NAMES[loop],
            chordsOf(plan, loop).join(' · '),
          ])}
        />
      </div>
    </div>
  );
}

function bandRows(plan: Plan): [string, string][] {
  return partsOf(plan).map((part) => {
    const kit = part === 'drums' ? ' kit' : '';
    return [partName(part), plain(plan.parts[part] ?? '') + kit];
  });
}

function Fact(props: { name: string; children: ReactNode }) {
  return (
    <div>
      <dt className="plate text-muted">{props.name}</dt>
      <dd className="figures">{props.children}</dd>
    </div>
  );
}

function Table(props: { name: string; rows: readonly (readonly [string, string])[] }) {
  return (
    <div>
      <h4 className="plate mb-1 text-muted">{props.name}</h4>
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 text-sm">
        {props.rows.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd className="figures wrap-anywhere">{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}
