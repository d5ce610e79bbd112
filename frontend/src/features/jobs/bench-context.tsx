import { createContext, useContext } from 'react';

/** Where a lifted job would be put down: at one side of the entry that begins with this job. */
export interface Mark {
  readonly firstId: string;
  readonly side: 'before' | 'after';
}

/** A job that was picked up to be put somewhere else in its line. */
export interface Lift {
  readonly jobId: string;
  /** null: where it was. */
  readonly mark: Mark | null;
}

export interface BenchTools {
  /** Tells a screen reader. */
  readonly say: (text: string) => void;
  readonly setLift: (lift: Lift | null) => void;
}

const BenchContext = createContext<BenchTools | null>(null);

export const BenchProvider = BenchContext;

export function useBenchTools(): BenchTools {
  const tools = useContext(BenchContext);
  if (tools === null) throw new Error('useBenchTools needs a BenchProvider above it');
  return tools;
}
