/** Lowest and highest value of a stretch of audio, −1 to 1. */
export type Peak = readonly [low: number, high: number];

const cache = new Map<string, Promise<readonly Peak[]>>();

/** The peaks behind a URL, fetched once; a failure is forgotten so that it can be tried again. */
export function loadPeaks(url: string): Promise<readonly Peak[]> {
  const known = cache.get(url);
  if (known !== undefined) return known;
  const loading = fetchPeaks(url);
  cache.set(url, loading);
  loading.catch(() => cache.delete(url));
  return loading;
}

async function fetchPeaks(url: string): Promise<readonly Peak[]> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`peaks: HTTP ${response.status}`);
  const body: unknown = await response.json();
  const peaks = (body as { peaks?: unknown }).peaks;
  if (!Array.isArray(peaks)) throw new Error('peaks: not the form that was agreed');
  return peaks as Peak[];
}

/** As many columns as fit, each as high as its loudest part, 0 to 1. */
export function columns(peaks: readonly Peak[], count: number): number[] {
  return Array.from({ length: count }, (_, column) => {
    const from = Math.floor((column * peaks.length) / count);
    const to = Math.max(from + 1, Math.floor(((column + 1) * peaks.length) / count));
    let height = 0;
    for (const [low, high] of peaks.slice(from, to)) {
      height = Math.max(height, Math.abs(low), Math.abs(high));
    }
    return Math.min(1, height);
  });
}

/** The columns as an SVG path in a box of `count` by 2, mirrored about the middle. */
export function columnsPath(heights: readonly number[]): string {
  const loudest = Math.max(...heights, 0.05);
  return heights
    .map((height, column) => {
      const half = Math.max(0.02, (height / loudest) * 0.94);
      return `M${column + 0.5} ${(1 - half).toFixed(3)}v${(2 * half).toFixed(3)}`;
    })
    .join('');
}
