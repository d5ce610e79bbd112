import { useEffect, useState } from 'react';
import type { ApiError } from '@/api/errors';
import type { Track } from '@/gen/musicgen/api/library/v1/track_pb';
import { usePlanDrafts } from './drafts-context';
import { withEnergy } from './edit';
import { type Faults, faultsOf, hasField, NO_FAULTS, unsendable, withoutFault } from './faults';
import { type Plan, samePlan } from './plan';

export interface PlanDraft {
  readonly plan: Plan;
  readonly changed: boolean;
  readonly selected: number;
  readonly faults: Faults;
  /** What went wrong where no field of the form is to blame. */
  readonly unplaced: { readonly message: string; readonly remedy: string } | null;
  /** How often something was found wrong: each time the form shows where. */
  readonly refusals: number;
  readonly select: (index: number) => void;
  /** Another plan; what was said of this path of it holds no more. */
  readonly edit: (plan: Plan, path: string) => void;
  readonly setEnergy: (energy: number) => void;
  readonly reset: () => void;
  /** Whether it can be sent. */
  readonly check: () => boolean;
}

/** The plan of a track while it is edited, and what the studio said of it. */
export function usePlanDraft(track: Track, original: Plan, error: ApiError | null): PlanDraft {
  const drafts = usePlanDrafts();
  const { trackId } = track;
  const [plan, setPlan] = useState(() => drafts.get(trackId, original) ?? original);
  const changed = !samePlan(plan, original);
  useEffect(() => {
    if (changed) drafts.keep(trackId, { plan, original });
    else drafts.drop(trackId);
  }, [drafts, trackId, plan, original, changed]);
  /** Before the energy was touched: sliding there and back changes nothing. */
  const [calm, setCalm] = useState<Plan | null>(null);
  const [selected, setSelected] = useState(0);
  const [faults, setFaults] = useState(NO_FAULTS);
  const [unplaced, setUnplaced] = useState<ApiError | null>(null);
  const [refusals, setRefusals] = useState(0);

  const refuse = (found: Faults) => {
    setFaults(found);
    const section = Object.keys(found).flatMap(
      (path) => /^sections\[(\d+)\]/.exec(path)?.[1] ?? [],
    );
    if (section[0] !== undefined) setSelected(Number(section[0]));
    setRefusals((count) => count + 1);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: only a new error is news
  useEffect(() => {
    setUnplaced(error);
    if (error === null) setFaults(NO_FAULTS);
    else refuse(faultsOf(error));
  }, [error]);

  return {
    plan,
    changed,
    selected: Math.min(selected, plan.sections.length - 1),
    faults,
    unplaced: unplaced === null ? null : said(unplaced, plan),
    refusals,
    select: setSelected,
    edit: (next, path) => {
      setPlan(next);
      setCalm(null);
      setFaults(withoutFault(faults, path));
      setUnplaced(null);
    },
    setEnergy: (energy) => {
      const from = calm ?? plan;
      setCalm(from);
      setPlan(withEnergy(from, energy));
      setFaults(withoutFault(faults, 'energy'));
    },
    reset: () => {
      setPlan(original);
      setCalm(null);
      setFaults(NO_FAULTS);
      setUnplaced(null);
    },
    check: () => {
      const found = unsendable(plan);
      if (Object.keys(found).length === 0) return true;
      refuse(found);
      return false;
    },
  };
}

/** What is left to say when each field says its own. */
function said(error: ApiError, plan: Plan): { message: string; remedy: string } | null {
  const all = Object.entries(faultsOf(error));
  const others = all.filter(([path]) => !hasField(path, plan));
  if (all.length > 0 && others.length === 0) return null;
  const remedy = others
    .map(([path, fault]) => (path === '' ? fault : `${path.replace(/^\//, '')}: ${fault}`))
    .join(' ');
  return { message: error.message, remedy: remedy || error.remedy };
}
