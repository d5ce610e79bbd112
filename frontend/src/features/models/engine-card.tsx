import { useEffect, useRef } from 'react';
import { hasEnvironment, lacksEnvironment } from '@/calls/engine-facts';
import type { Model } from '@/gen/musicgen/api/inference/v1/model_pb';
import { EnvironmentPart } from './environment-part';
import type { EngineGroup } from './groups';
import { partsOf } from './licences';
import { ModelCard } from './model-card';
import { PartsList } from './parts-list';

/** An engine with its environment and its models. */
export function EngineCard(props: {
  group: EngineGroup;
  /** Every model of the studio: what one needs may be of another engine. */
  models: readonly Model[];
  /** Whether the panel was opened for this one: it comes into sight. */
  wanted: boolean;
}) {
  const { group, wanted } = props;
  const { manifest, environment } = group.engine ?? {};
  const name = manifest?.displayName || group.name;
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!wanted) return;
    heading.current?.scrollIntoView({ block: 'start' });
    heading.current?.focus({ preventScroll: true });
  }, [wanted]);
  const usable = group.engine !== undefined && !lacksEnvironment(group.engine);
  return (
    <section
      data-testid="engine-card"
      data-engine={group.name}
      aria-labelledby={`engine-${group.name}`}
      className="grid grid-cols-1 gap-4 rounded-xl border border-line bg-panel p-4"
    >
      <div>
        <div className="flex flex-wrap items-baseline gap-x-2">
          <h3
            ref={heading}
            id={`engine-${group.name}`}
            tabIndex={-1}
            className="wide scroll-mt-20 text-base font-semibold"
          >
            {name}
          </h3>
          <span className="text-sm text-muted">
            {[manifest?.version ?? '', manifest?.license ?? '']
              .filter((fact) => fact !== '')
              .join(', ')}
          </span>
        </div>
        <p className="max-w-prose text-sm text-muted">
          {manifest?.description}
          {group.engine === undefined &&
            'This studio has no engine of that name. Its models can be installed, but not used yet.'}
        </p>
      </div>
      {environment !== undefined && hasEnvironment(group.engine) && (
        <EnvironmentPart engine={group.name} name={name} environment={environment} />
      )}
      {group.models.length > 0 && (
        <div className="grid grid-cols-1 gap-2.5">
          <h4 className="text-sm font-semibold">Models</h4>
          <ul className="grid grid-cols-1 gap-2.5">
            {group.models.map((model) => (
              <ModelCard
                key={model.name}
                model={model}
                parts={partsOf(model, props.models)}
                canLoad={usable}
              />
            ))}
          </ul>
        </div>
      )}
      <PartsList parts={group.parts} />
    </section>
  );
}
