import { useCallback, useEffect, useRef, useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { useEngines } from '@/calls/use-engines';
import type { Device } from '@/gen/musicgen/api/inference/v1/device_pb';
import { useOnLive } from '@/watch/react';

interface Told {
  readonly devices: readonly Device[];
  readonly choice: string;
  readonly trouble: string;
}

export interface Devices extends Told {
  readonly error: ApiError | null;
  readonly select: (deviceId: string) => void;
  readonly reload: () => void;
}

const NOTHING: Told = { devices: [], choice: '', trouble: '' };

/** What engines can compute on here, and the choice among it. */
export function useDevices(): Devices {
  const { inference } = useClients();
  const engines = useEngines();
  const [told, setTold] = useState<Told>(NOTHING);
  const [error, setError] = useState<ApiError | null>(null);
  const asked = useRef(0);

  /** An answer that is overtaken by a later one is dropped. */
  const ask = useCallback(async (call: () => Promise<Told>): Promise<boolean> => {
    asked.current += 1;
    const mine = asked.current;
    try {
      const answer = await call();
      if (mine === asked.current) {
        setTold(answer);
        setError(null);
      }
      return true;
    } catch (thrown) {
      if (mine === asked.current) setError(readError(thrown));
      return false;
    }
  }, []);
  const load = useCallback(() => ask(() => inference.listDevices({})), [ask, inference]);
  useEffect(() => void load(), [load]);
  useOnLive(() => error !== null && void load());

  const select = async (deviceId: string) => {
    const before = told;
    setTold({ ...told, choice: deviceId });
    const done = await ask(async () => {
      const { devices, choice } = await inference.selectDevice({ deviceId });
      return { devices, choice, trouble: '' };
    });
    if (!done) setTold(before);
    // An environment may have been made for the other device.
    engines.reload();
  };
  return {
    ...told,
    error,
    select: (deviceId) => void select(deviceId),
    reload: () => void load(),
  };
}
