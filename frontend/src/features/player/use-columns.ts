import { type RefObject, useEffect, useMemo, useState } from 'react';
import { columns, columnsPath, loadPeaks, type Peak } from './peaks';

const COLUMN_PX = 4;
const FEWEST = 40;

export interface Columns {
  readonly count: number;
  /** SVG path; null until the peaks are there. */
  readonly path: string | null;
  readonly failed: boolean;
}

/** The waveform of a track in as many columns as the element has room for. */
export function useColumns(peaksUrl: string, element: RefObject<HTMLElement | null>): Columns {
  const [peaks, setPeaks] = useState<readonly Peak[] | null>(null);
  const [failed, setFailed] = useState(false);
  const [count, setCount] = useState(FEWEST * 2);

  useEffect(() => {
    let wanted = true;
    setPeaks(null);
    setFailed(false);
    loadPeaks(peaksUrl).then(
      (loaded) => wanted && setPeaks(loaded),
      () => wanted && setFailed(true),
    );
    return () => {
      wanted = false;
    };
  }, [peaksUrl]);

  useEffect(() => {
    const box = element.current;
    if (box === null || typeof ResizeObserver === 'undefined') return;
    const measure = new ResizeObserver(() => {
      if (box.clientWidth > 0) setCount(Math.max(FEWEST, Math.floor(box.clientWidth / COLUMN_PX)));
    });
    measure.observe(box);
    return () => measure.disconnect();
  }, [element]);

  const path = useMemo(
    () => (peaks === null ? null : columnsPath(columns(peaks, count))),
    [peaks, count],
  );
  return { count, path, failed };
}
