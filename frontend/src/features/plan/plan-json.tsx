import { useState } from 'react';
import { Button } from '@/ui/button';
import { type Plan, planToJson } from './plan';
import type { Recipe } from './recipe';

/** The plan for people who script. */
export function PlanJson(props: { recipe: Recipe; plan: Plan }) {
  const { recipe, plan } = props;
  const [copied, setCopied] = useState<boolean | null>(null);
  const { prompt, seed } = recipe;
  const text = () => `${JSON.stringify({ prompt, seed, plan: planToJson(plan) }, null, 2)}\n`;
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text());
      setCopied(true);
    } catch {
      setCopied(false); // not allowed here; there is still the download
    }
  };
  return (
    <details className="text-sm text-muted">
      <summary className="plate w-fit py-1 hover:text-ink">Plan as JSON</summary>
      <div className="grid gap-2 pt-2">
        <p>
          Edit it and make a track of it:{' '}
          <code className="rounded bg-well px-1 py-0.5 text-xs wrap-anywhere text-ink">
            musicgen generate --plan plan.json
          </code>
        </p>
        <div className="flex flex-wrap items-center gap-2">
          <Button data-testid="copy-plan" onClick={() => void copy()}>
            Copy
          </Button>
          <Button data-testid="download-plan" onClick={() => save(text())}>
            Download
          </Button>
          <span role="status">
            {copied === true && 'Copied.'}
            {copied === false && 'The browser doesn’t allow copying here; download it.'}
          </span>
        </div>
      </div>
    </details>
  );
}

function save(text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'plan.json';
  link.click();
  // The browser has to have begun with it.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
