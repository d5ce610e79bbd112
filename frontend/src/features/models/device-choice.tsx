import type { ReactNode } from 'react';
import { Button } from '@/ui/button';
import { ErrorNote } from '@/ui/error-note';
import { deviceFacts } from './model-words';
import { useDevices } from './use-devices';

const AUTO = 'auto';

/** What engines compute on: one of a list, or whatever the studio takes. */
export function DeviceChoice() {
  const { devices, choice, trouble, error, select, reload } = useDevices();
  const taken = devices.find((device) => device.chosen);
  const known = choice === '' || choice === AUTO || devices.some((one) => one.deviceId === choice);
  return (
    <fieldset
      data-testid="devices"
      className="grid min-w-0 grid-cols-1 gap-2.5 rounded-xl border border-line bg-panel p-4"
    >
      <legend className="contents">
        <span className="wide text-base font-semibold">Engines compute on</span>
      </legend>
      {devices.length > 0 && (
        <ul className="grid grid-cols-1 gap-2 sm:grid-cols-2">
          <DeviceRow
            id={AUTO}
            title="Automatic"
            facts={
              choice === AUTO && taken !== undefined
                ? `now ${taken.name}`
                : 'the first graphics card, else the processor'
            }
            checked={choice === AUTO}
            onChoose={select}
          />
          {devices.map((device) => (
            <DeviceRow
              key={device.deviceId}
              id={device.deviceId}
              title={device.name || device.deviceId}
              facts={deviceFacts(device)}
              checked={choice === device.deviceId}
              onChoose={select}
            />
          ))}
          {!known && (
            <DeviceRow
              id={choice}
              title={choice}
              facts="not there any more"
              checked
              onChoose={select}
            />
          )}
        </ul>
      )}
      {trouble !== '' && <ErrorNote message={trouble} remedy="Choose another one." />}
      {error !== null && (
        <ErrorNote message={error.message} remedy={error.remedy}>
          <Button onClick={reload}>Try again</Button>
        </ErrorNote>
      )}
    </fieldset>
  );
}

function DeviceRow(props: {
  id: string;
  title: ReactNode;
  facts: ReactNode;
  checked: boolean;
  onChoose: (id: string) => void;
}) {
  const look = props.checked
    ? 'border-accent shadow-[inset_0_0_0_1px_var(--accent)]'
    : 'border-line hover:border-edge';
  return (
    <li>
      <label
        className={`flex h-full cursor-pointer items-center gap-3 rounded-lg border bg-well px-3 py-2 ${look}`}
      >
        <input
          type="radio"
          name="device"
          data-testid={`device-${props.id}`}
          className="size-4 shrink-0 accent-accent"
          checked={props.checked}
          onChange={() => props.onChoose(props.id)}
        />
        <span className="min-w-0">
          <span className="block text-sm font-medium wrap-anywhere">{props.title}</span>
          <span className="figures block text-sm text-muted">{props.facts}</span>
        </span>
      </label>
    </li>
  );
}
