import type { ApiError } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import {
  type LoopAnalysis,
  type LoopCandidate,
  LoopCandidate_Kind,
} from '@/gen/musicgen/api/looper/v1/loop_pb';
import { lengthWords } from '@/ui/time';
import { cycleOf, foundCycle } from './build-spec';
import { ChoiceRow } from './choice-row';
import { type ChangeDraft, type Cycle, type LoopDraft, sameCycle } from './draft';
import { HandFields } from './hand-fields';
import { noteWords, placeWords, qualityWord, secondsOf, sizeOf } from './loop-words';
import type { LoopSlots } from './slots';

/** Which part of the track repeats. */
export function CycleChoices(props: {
  track: Track;
  draft: LoopDraft;
  analysis: LoopAnalysis | undefined;
  /** The job that found them; names their seams. */
  jobId: string;
  slots: LoopSlots;
  error: ApiError | null;
  onChange: ChangeDraft;
}) {
  const { track, draft, analysis, onChange } = props;
  const group = `cycle-${track.trackId}`;
  const rate = track.audio?.sampleRateHz ?? 0;
  const own = cycleOf(track.loopPoints);
  const candidates = analysis?.candidates ?? [];
  // The track's own points have a row already; a search adds how their seam sounds.
  const itsOwn = candidates.find((one) => one.kind === LoopCandidate_Kind.OWN);
  const others = candidates.filter((one) => one !== itsOwn);
  return (
    <ul className="grid grid-cols-1 gap-2">
      {own !== undefined && (
        <ChoiceRow
          id={`${group}-own`}
          group={group}
          testId="cycle-own"
          checked={draft.cycle === 'own'}
          onChoose={() => onChange({ cycle: 'own' })}
          title="The track’s own loop points"
          facts={`${placeWords(own, rate)}, ${lengthWords(secondsOf(own, rate))}`}
          action={
            itsOwn && <SeamButton {...props} candidate={itsOwn} name="the track’s own loop" />
          }
        >
          <Picture {...props} cycle={own} />
        </ChoiceRow>
      )}
      {own === undefined && others.length === 0 && (
        <ChoiceRow
          id={`${group}-best`}
          group={group}
          testId="cycle-best"
          checked={draft.cycle === 'best'}
          onChoose={() => onChange({ cycle: 'best' })}
          title="The best that is found"
          facts="The studio looks for it first"
        />
      )}
      {others.map((candidate, index) => (
        <Found
          key={`${candidate.points?.startFrame}:${candidate.points?.endFrame}`}
          {...props}
          group={group}
          rank={index + 1}
          candidate={candidate}
        />
      ))}
      <ChoiceRow
        id={`${group}-hand`}
        group={group}
        testId="cycle-hand"
        checked={draft.cycle === 'hand'}
        onChoose={() => onChange({ cycle: 'hand' })}
        title="Points by hand"
      >
        {draft.cycle === 'hand' ? (
          <HandFields track={track} draft={draft} error={props.error} onChange={onChange} />
        ) : undefined}
      </ChoiceRow>
    </ul>
  );
}

/** A cycle that was found, with its seam to listen to. */
function Found(props: {
  track: Track;
  draft: LoopDraft;
  jobId: string;
  slots: LoopSlots;
  onChange: ChangeDraft;
  group: string;
  rank: number;
  candidate: LoopCandidate;
}) {
  const { track, draft, candidate, rank } = props;
  const cycle = foundCycle(candidate);
  if (cycle === undefined) return null;
  const rate = track.audio?.sampleRateHz ?? 0;
  const chosen = draft.cycle === 'best' ? rank === 1 : isCycle(draft.cycle, cycle);
  const notes = [sizeOf(candidate, secondsOf(cycle, rate)), ...noteWords(candidate)];
  return (
    <ChoiceRow
      id={`${props.group}-${rank}`}
      group={props.group}
      testId="cycle-found"
      checked={chosen}
      onChoose={() => props.onChange({ cycle })}
      title={
        <span className="flex flex-wrap gap-x-3">
          <span>
            {qualityWord(candidate.score)}{' '}
            <span className="text-muted" title="How alike the music is at both ends, 0 to 1">
              {candidate.score.toFixed(2)}
            </span>
          </span>
          <span>{placeWords(cycle, rate)}</span>
        </span>
      }
      facts={notes.join(', ')}
      action={<SeamButton {...props} name={`loop ${rank}`} />}
    >
      <Picture {...props} cycle={cycle} />
    </ChoiceRow>
  );
}

function isCycle(choice: LoopDraft['cycle'], cycle: Cycle): boolean {
  return typeof choice === 'object' && sameCycle(choice, cycle);
}

function SeamButton(props: {
  jobId: string;
  name: string;
  candidate: LoopCandidate;
  slots: LoopSlots;
}) {
  const { seam } = props.candidate;
  const { sampleRateHz = 0, durationFrames = 0n } = seam?.audio ?? {};
  if (seam === undefined || sampleRateHz <= 0) return null;
  return props.slots.play({
    clipId: `seam-${props.jobId}-${props.name}`,
    title: `the seam of ${props.name}`,
    src: `/v1/${seam.key}`,
    durationSeconds: Number(durationFrames) / sampleRateHz,
  });
}

function Picture(props: { track: Track; cycle: Cycle; slots: LoopSlots }) {
  const { track, cycle } = props;
  const whole = Number(track.audio?.durationFrames ?? 0n);
  if (whole <= 0) return null;
  return props.slots.picture(track, Number(cycle.start) / whole, Number(cycle.end) / whole);
}
