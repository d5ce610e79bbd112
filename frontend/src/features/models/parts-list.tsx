import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';
import { sizeWords } from '@/ui/size';
import { modelWord } from './model-words';
import { StateBadge } from './state-badge';

/** What comes with other models and is not chosen by itself, folded away. */
export function PartsList(props: { parts: readonly Model[] }) {
  if (props.parts.length === 0) return null;
  return (
    <details data-testid="parts">
      <summary className="plate w-fit py-1 text-muted hover:text-ink">
        Parts that come with them ({props.parts.length})
      </summary>
      <ul className="grid grid-cols-1 gap-2 pt-2">
        {props.parts.map((part) => (
          <li key={part.name} data-testid="part" data-model={part.name} className="text-sm">
            <p className="flex flex-wrap items-baseline gap-x-3">
              <span className="font-medium">{part.displayName || part.name}</span>
              <StateBadge state={modelWord(part)} testId="model-state" />
              {part.sizeBytes > 0n && (
                <span className="figures text-muted">{sizeWords(Number(part.sizeBytes))}</span>
              )}
              <a
                href={part.licence?.url}
                target="_blank"
                rel="noreferrer"
                className="rounded text-muted underline decoration-edge underline-offset-3 hover:text-ink"
              >
                {part.licence?.title}
              </a>
            </p>
            <p className="text-muted">
              {part.description} {part.detail}
            </p>
          </li>
        ))}
      </ul>
    </details>
  );
}
