import { type ApiError, fieldMessage } from '@/api/errors';
import { Button } from '@/ui/button';
import { controlClass, Field, fieldProps } from '@/ui/field';
import type { JobsView } from '@/watch/fold';
import { newestFirst } from '@/watch/job-state';
import { useJobsView } from '@/watch/react';

/** The seed of all randomness; empty for one that the studio draws. */
export function SeedField(props: {
  seed: string;
  error: ApiError | null;
  onChange: (seed: string) => void;
}) {
  const fault = fieldMessage(props.error, 'seed');
  return (
    <Field id="seed" label="Seed" error={fault} remedy={fault && props.error?.remedy}>
      <input
        {...fieldProps('seed', fault)}
        data-testid="seed"
        className={`${controlClass} figures`}
        inputMode="numeric"
        autoComplete="off"
        placeholder="Random"
        value={props.seed}
        onChange={(event) => props.onChange(event.target.value)}
      />
    </Field>
  );
}

/** The seed of the newest track that was asked for, to be used once more. */
export function SeedUsed(props: { seed: string; onReuse: (seed: string) => void }) {
  const seed = lastSeed(useJobsView());
  if (seed === undefined || props.seed === String(seed)) return null;
  return (
    <p className="-mt-2 text-sm text-muted">
      Last seed{' '}
      <span data-testid="seed-used" className="figures text-ink">
        {seed}
      </span>
      <Button look="quiet" data-testid="seed-reuse" onClick={() => props.onReuse(String(seed))}>
        Use it again
      </Button>
    </p>
  );
}

function lastSeed(view: JobsView): number | undefined {
  for (const job of newestFirst(view)) {
    const kind = job.spec?.kind;
    if (kind?.case === 'generate') return kind.value.parameters?.seed;
  }
  return undefined;
}
