import { type FormEvent, useState } from 'react';
import { type ApiError, isCoveredBy } from '@/api/errors';
import { useCreateJob } from '@/calls/use-create-job';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { exactClock } from '@/ui/time';
import { buildSpec, chosenCycle } from './build-spec';
import { CycleChoices } from './cycle-choices';
import { type Cycle, firstDraft, type LoopDraft } from './draft';
import { ExtentFields } from './extent-fields';
import { FinishFields } from './finish-fields';
import { secondsOf } from './loop-words';
import { SearchPart } from './search-part';
import type { LoopSlots } from './slots';
import { useSearch } from './use-search';

/** Loops a track: which part of it, how long, and how it ends. */
export function LoopPanel(props: { track: Track; slots: LoopSlots; onDone: () => void }) {
  const { track } = props;
  const [draft, setDraft] = useState(() => firstDraft(track));
  const search = useSearch(track.trackId);
  const { busy, error: refusal, createJob } = useCreateJob();
  const [typo, setTypo] = useState<ApiError | null>(null);
  const [corrected, setCorrected] = useState(false);
  const error = corrected ? null : (typo ?? refusal);
  const rate = track.audio?.sampleRateHz ?? 0;
  const cycle = chosenCycle(track, draft, search.analysis);
  const id = `loop-${track.trackId}`;

  const change = (part: Partial<LoopDraft>) => {
    setDraft({ ...draft, ...part });
    setCorrected(true); // what was said of the fields may hold no more
  };
  const byHand = ({ start, end }: Cycle) => {
    const at = (frame: bigint) => exactClock(Number(frame) / rate);
    change({ cycle: 'hand', start: at(start), end: at(end), snap: true });
  };
  const onSubmit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    const built = buildSpec(track, draft, search.analysis, new Date());
    setCorrected(false);
    setTypo('error' in built ? built.error : null);
    if ('error' in built) return;
    const jobId = await createJob({ case: 'loop', value: built.spec });
    if (jobId !== undefined) props.onDone();
  };
  return (
    <form
      data-testid="loop-form"
      aria-label={`Loop ${track.title}`}
      className="grid grid-cols-1 gap-5 border-t border-line pt-4"
      noValidate
      onSubmit={(event) => void onSubmit(event)}
      onKeyDown={(event) => event.key === 'Escape' && props.onDone()}
    >
      <fieldset className="grid min-w-0 grid-cols-1 gap-2.5">
        <legend className="plate mb-2">What repeats</legend>
        <CycleChoices
          track={track}
          draft={draft}
          analysis={search.analysis}
          jobId={search.job?.jobId ?? ''}
          slots={props.slots}
          error={error}
          onChange={change}
        />
        <SearchPart search={search} sampleRateHz={rate} onUse={byHand} />
      </fieldset>
      <ExtentFields
        id={`${id}-extent`}
        draft={draft}
        cycleSeconds={cycle === undefined ? 0 : secondsOf(cycle, rate)}
        error={error}
        now={new Date()}
        onChange={change}
      />
      <FinishFields id={id} draft={draft} error={error} onChange={change} />
      {error !== null && !isCoveredBy(error, fieldsShown(draft)) && (
        <ErrorNote message={error.message} remedy={error.remedy} />
      )}
      <div className="flex flex-wrap items-center gap-2">
        <Button type="submit" look="primary" data-testid="loop-start" aria-disabled={busy}>
          {busy ? 'Sending…' : 'Loop it'}
        </Button>
        <Button look="quiet" onClick={props.onDone}>
          Close
        </Button>
      </div>
    </form>
  );
}

/** The fields of a request that have a place here for what is wrong with them. */
function fieldsShown(draft: LoopDraft): string[] {
  const always = ['length_seconds', 'cycles', 'ending', 'fade_seconds', 'format'];
  const byHand = ['points', 'snap_points', 'start_frame', 'end_frame'];
  return draft.cycle === 'hand' ? [...always, ...byHand] : always;
}
