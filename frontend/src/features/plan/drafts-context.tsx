import { createContext, type ReactNode, useContext } from 'react';
import type { PlanDrafts } from './drafts';

const DraftsContext = createContext<PlanDrafts | null>(null);

export function DraftsProvider(props: { drafts: PlanDrafts; children: ReactNode }) {
  return <DraftsContext value={props.drafts}>{props.children}</DraftsContext>;
}

export function usePlanDrafts(): PlanDrafts {
  const drafts = useContext(DraftsContext);
  if (drafts === null) throw new Error('usePlanDrafts needs a DraftsProvider above it');
  return drafts;
}
