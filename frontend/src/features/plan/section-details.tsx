import { Button } from '@/ui/button';
import { PlayIcon } from '@/ui/icons';
import { clock } from '@/ui/time';
import { playingOf } from './edit';
import { barSeconds, barsOf, chordsOf, type Plan, partsOf } from './plan';
import { barWords, loopOfSection, partName, percent, sectionName } from './plan-words';

/** The section that is chosen, in words. */
export function SectionDetails(props: {
  plan: Plan;
  index: number;
  onPlayFrom: (seconds: number) => void;
}) {
  const { plan, index } = props;
  const section = plan.sections[index];
  if (section === undefined) return null;
  const before = barsOf({ ...plan, sections: plan.sections.slice(0, index) });
  const start = barSeconds(plan, before);
  const parts = partsOf(plan);
  const who = (playing: string) =>
    parts.filter((part) => playingOf(section, part) === playing).map(partName);
  const entering = who('enters');
  return (
    <div className="flex flex-wrap items-start justify-between gap-x-6 gap-y-2">
      <div role="status" data-testid="section-details" className="min-w-0 text-sm">
        <p>
          <span className="wide mr-2 text-base font-semibold">
            {sectionName(plan.sections, index)}
          </span>
          <span className="figures text-muted">
            bars {before + 1}–{before + section.bars} ({barWords(section.bars)}), {clock(start)}–
            {clock(start + barSeconds(plan, section.bars))}, energy {percent(section.energy)}
          </span>
        </p>
        <p className="text-muted">
          {who('plays').join(', ') || 'Nobody'}
          {entering.length > 0 && `; ${entering.join(', ')} from the middle on`}
        </p>
        <p className="figures text-muted">{chordsOf(plan, loopOfSection(section)).join(' · ')}</p>
      </div>
      <Button data-testid="play-from" onClick={() => props.onPlayFrom(start)}>
        <PlayIcon size={14} /> Play from here
      </Button>
    </div>
  );
}
