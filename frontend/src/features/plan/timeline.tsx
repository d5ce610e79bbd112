import { type CSSProperties, type KeyboardEvent, type ReactNode, useRef } from 'react';
import { clock, scaleSteps } from '@/ui/time';
import { type Playing, playingOf } from './edit';
import { type Faults, faultAt } from './faults';
import { barSeconds, FRAMES_PER_SECOND, type Part, type Plan, partsOf } from './plan';
import { barWords, kindMark, kindName, partName, percent, sectionName } from './plan-words';

/** The narrowest that a section is drawn; a piece with more of them scrolls sideways. */
const NARROWEST_PX = 20;
/** Room that a mark of the time wants. */
const MARK_PX = 120;

/** The whole piece as a picture: sections by length and energy, and under them who plays. */
export function Timeline(props: {
  plan: Plan;
  selected: number;
  onSelect: (index: number) => void;
  faults: Faults;
  /** Lets a part play otherwise in a section; absent while nothing is edited. */
  onPlaying?: (index: number, part: Part, playing: Playing) => void;
  /** What shows where the piece plays now, over a width that stands for so many seconds. */
  needle?: (seconds: number) => ReactNode;
}) {
  const { plan, selected } = props;
  const strip = useRef<HTMLDivElement>(null);
  const parts = partsOf(plan);
  const drawn = plan.sections.map(({ bars }) => drawnBars(bars));
  const bars = drawn.reduce((sum, one) => sum + one, 0);
  const ring = Math.max(0, plan.ring_frames / FRAMES_PER_SECOND);
  // A tempo that can't be (yet) makes no picture; the shares of the sections are the same.
  const drawable = plan.tempo_bpm > 0 ? plan : { ...plan, tempo_bpm: 120 };
  const barLength = barSeconds(drawable, 1);
  const length = bars * barLength + ring;
  const widthPx = (NARROWEST_PX * length) / (Math.min(...drawn) * barLength);
  const share = (seconds: number): string => `${(seconds / length) * 100}%`;

  const select = (index: number) => {
    if (index < 0 || index >= plan.sections.length) return;
    props.onSelect(index);
    strip.current?.querySelectorAll<HTMLElement>('[data-testid="plan-section"]')[index]?.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const target = { ArrowRight: selected + 1, ArrowLeft: selected - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    select(target);
  };
  return (
    <div className="glass grid grid-cols-[auto_minmax(0,1fr)] gap-x-2 rounded-lg px-2.5 pt-1 pb-2.5">
      <div aria-hidden="true" className="pt-24 text-[0.6875rem] leading-4 text-glow-text">
        {parts.map((part) => (
          <p key={part} className="mt-1 h-4">
            {partName(part)}
          </p>
        ))}
      </div>
      <div
        className="overflow-x-auto overflow-y-hidden [scrollbar-color:var(--glow-dim)_transparent] [scrollbar-width:thin]"
        tabIndex={-1}
      >
        <div
          ref={strip}
          role="toolbar"
          aria-label="Sections of the piece"
          className="relative flex"
          style={{ minWidth: `min(${Math.ceil(widthPx)}px, 200rem)` }}
          onKeyDown={onKeyDown}
        >
          <Marks length={length} most={Math.max(5, widthPx / MARK_PX)} share={share} />
          {plan.sections.map((section, index) => (
            <div
              // biome-ignore lint/suspicious/noArrayIndexKey: a section is known by its place
              key={index}
              className={`@container flex min-w-0 flex-col pt-5 ${index === selected ? 'bg-glow/10' : ''}`}
              style={{ width: share((drawn[index] ?? 1) * barLength) }}
            >
              <Block
                plan={plan}
                index={index}
                selected={index === selected}
                faulty={faultAt(props.faults, `sections[${index}]`, true) !== undefined}
                onSelect={() => select(index)}
              />
              {parts.map((part) => (
                <Cell
                  key={part}
                  label={`${partName(part)}, ${sectionName(plan.sections, index)}`}
                  playing={playingOf(section, part)}
                  energy={section.energy}
                  onPlaying={
                    props.onPlaying && ((playing) => props.onPlaying?.(index, part, playing))
                  }
                />
              ))}
            </div>
          ))}
          <Ring share={share(ring)} lanes={parts.length} />
          {props.needle !== undefined && (
            <div className="pointer-events-none absolute inset-x-0 top-4 bottom-0">
              {props.needle(length)}
            </div>
          )}
        </div>
      </div>
    </div>
  );
}

/** How long a section is drawn: also one whose bars are being typed, or can't be. */
function drawnBars(bars: number): number {
  return bars >= 1 ? Math.min(bars, 1_000) : 1;
}

/** Round times above the sections. */
function Marks(props: { length: number; most: number; share: (seconds: number) => string }) {
  return (
    <div
      aria-hidden="true"
      className="figures absolute inset-x-0 top-0 h-5 text-[0.6875rem] leading-5 text-glow-text"
    >
      {scaleSteps(props.length, props.most).map((at) => (
        <span key={at} className="absolute" style={{ left: props.share(at) }}>
          {clock(at)}
        </span>
      ))}
    </div>
  );
}

function Block(props: {
  plan: Plan;
  index: number;
  selected: boolean;
  faulty: boolean;
  onSelect: () => void;
}) {
  const { plan, index, selected, faulty } = props;
  const section = plan.sections[index];
  if (section === undefined) return null;
  const name = sectionName(plan.sections, index);
  const who = section.parts.map((part) => partName(part).toLowerCase()).join(', ') || 'nobody';
  const height: CSSProperties = { height: `${8 + 92 * Math.min(1, section.energy || 0)}%` };
  const light = faulty
    ? 'from-needle/30 to-needle/80 border-needle'
    : selected
      ? 'from-glow/35 to-glow/90 border-white'
      : 'from-glow-dim/25 to-glow-dim border-glow group-hover:from-glow-dim/50 group-hover:to-glow/70';
  return (
    <button
      type="button"
      data-testid="plan-section"
      data-faulty={faulty}
      tabIndex={selected ? 0 : -1}
      aria-pressed={selected}
      aria-label={`${name}, ${barWords(section.bars)}, energy ${percent(section.energy)}, playing: ${who}${faulty ? ', needs correcting' : ''}`}
      className="group relative flex h-19 items-end overflow-hidden px-px focus-visible:outline-offset-[-2px]"
      onClick={props.onSelect}
    >
      <span
        className={`absolute inset-x-px bottom-0 rounded-t-xs border-t-2 bg-linear-to-t ${light}`}
        style={height}
      />
      <span
        className={`relative w-full truncate px-1 text-left text-[0.6875rem] leading-5 font-medium ${selected ? 'text-white' : 'text-glow'}`}
      >
        <span className="@min-[3.4rem]:hidden">{kindMark(section.kind)}</span>
        <span className="hidden @min-[3.4rem]:inline">{kindName(section.kind)}</span>
      </span>
    </button>
  );
}

const NEXT: Readonly<Record<Playing, Playing>> = {
  rests: 'plays',
  plays: 'enters',
  enters: 'rests',
};
const LIGHTS: Readonly<Record<Playing, string>> = {
  rests: 'bg-glow-dim/20',
  plays: 'bg-glow',
  enters: 'bg-linear-to-r from-glow-dim/30 from-50% to-glow to-50%',
};
const SAID: Readonly<Record<Playing, string>> = {
  rests: 'rests',
  plays: 'plays',
  enters: 'enters in the middle',
};

/** One part in one section. The form below says and does the same for the keyboard. */
function Cell(props: {
  label: string;
  playing: Playing;
  energy: number;
  onPlaying: ((playing: Playing) => void) | undefined;
}) {
  const { playing, onPlaying } = props;
  const strength = playing === 'rests' ? 1 : 0.4 + 0.6 * Math.min(1, props.energy || 0);
  const light = (
    <span className={`block h-2.5 rounded-xs ${LIGHTS[playing]}`} style={{ opacity: strength }} />
  );
  if (onPlaying === undefined)
    return <span className="mt-1 block h-4 px-px py-[3px]">{light}</span>;
  return (
    <button
      type="button"
      tabIndex={-1}
      data-testid="plan-cell"
      aria-label={`${props.label}: ${SAID[playing]}`}
      className="mt-1 block h-4 px-px py-[3px] hover:brightness-150"
      onClick={() => onPlaying(NEXT[playing])}
    >
      {light}
    </button>
  );
}

/** The last chord, dying away after the last bar. */
function Ring(props: { share: string; lanes: number }) {
  return (
    <div aria-hidden="true" className="flex flex-col pt-5" style={{ width: props.share }}>
      <span className="flex h-19 items-end px-px">
        <span className="h-1/3 w-full bg-linear-to-r from-glow-dim/40 to-transparent [clip-path:polygon(0_0,100%_100%,0_100%)]" />
      </span>
    </div>
  );
}
