import { useEffect, useRef, useState } from 'react';
import { useClients } from '@/api/clients';
import { type ApiError, readError } from '@/api/errors';
import { useEngines } from '@/calls/use-engines';
import type { LyricsFinding } from '@/gen/musicgen/api/engine/v1/engine_pb';
import { Engine_State } from '@/gen/musicgen/api/inference/v1/inference_service_pb';
import { useCallError } from '@/watch/use-call-error';
import { parametersOf } from './build-spec';
import type { Draft } from './draft';

const PAUSE_MS = 1_000;

export interface LyricsCheck {
  readonly busy: boolean;
  readonly error: ApiError | null;
  /** What was found; undefined before the first check. */
  readonly findings: readonly LyricsFinding[] | undefined;
  /** The lyrics with the time of each line; may be empty. */
  readonly timedLyrics: string;
  /** Whether what was found is of what is written now. */
  readonly current: boolean;
  readonly check: () => void;
}

interface Answer {
  readonly key: string;
  readonly engine: string;
  readonly findings: readonly LyricsFinding[];
  readonly timedLyrics: string;
}

/**
 * Asks an engine what of the lyrics it can't sing: by itself a while after the last change if
 * it is up already, else only on demand, since that starts it.
 */
export function useLyricsCheck(engine: string, draft: Draft): LyricsCheck {
  const { inference } = useClients();
  const { engines, reload } = useEngines();
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useCallError();
  const running = useRef<AbortController | null>(null);
  const asked = useRef('');
  const wanted = parametersOf(draft);
  const parameters = {
    ...wanted,
    // What is no length is told at its field; the lines are checked against the usual one.
    durationSeconds:
      wanted.durationSeconds && wanted.durationSeconds > 0 ? wanted.durationSeconds : 0,
  };
  const { lyrics, durationSeconds, options } = parameters;
  const key = JSON.stringify([engine, lyrics, durationSeconds, options]);
  const up =
    engines.find(({ manifest }) => manifest?.name === engine)?.state === Engine_State.READY;

  const check = async () => {
    running.current?.abort();
    const life = new AbortController();
    const { signal } = life;
    running.current = life;
    asked.current = key;
    setBusy(true);
    setError(null);
    try {
      const { findings, timedLyrics } = await inference.checkLyrics(
        { engine, parameters },
        { signal },
      );
      if (!signal.aborted) setAnswer({ key, engine, findings, timedLyrics });
    } catch (thrown) {
      if (!signal.aborted) setError(readError(thrown));
    } finally {
      if (!signal.aborted) {
        setBusy(false);
        if (!up) reload(); // the check has started the engine
      }
    }
  };
  useEffect(() => () => running.current?.abort(), []);
  const automatic = up && draft.lyrics.trim() !== '';
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is checked is in the key
  useEffect(() => {
    if (!automatic || key === asked.current) return;
    const timer = setTimeout(() => void check(), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [automatic, key]);

  const known = answer?.engine === engine && draft.lyrics.trim() !== '' ? answer : null;
  return {
    busy,
    error,
    findings: known?.findings,
    timedLyrics: known?.timedLyrics ?? '',
    current: known?.key === key,
    check: () => void check(),
  };
}
