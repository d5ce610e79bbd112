/** A position or length as on a counter: "1:05", "1:02:09". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const s = String(whole % 60).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${s}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')}:${s}`;
}

/** A place in audio to the millisecond: "1:02.345". */
export function exactClock(seconds: number): string {
  const ms = Math.max(0, Math.round(seconds * 1000));
  const rest = String(ms % 1000).padStart(3, '0');
  return `${Math.floor(ms / 60_000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}.${rest}`;
}

/** Reads such a place: "1:02.345" or "62.345"; NaN for what is none. */
export function readClock(text: string): number {
  const typed = text.trim().replace(',', '.');
  const time = /^(?:(\d{1,4}):(?=\d\d(?:\.|$)))?(\d{1,6}(?:\.\d{1,6})?)$/.exec(typed);
  return time === null ? Number.NaN : Number(time[1] ?? 0) * 60 + Number(time[2]);
}

/** A length in words: "30 s", "1 min 30 s", "10 h". */
export function lengthWords(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 3600), 'h'],
    [Math.floor((whole % 3600) / 60), 'min'],
    [whole % 60, 's'],
  ];
  const said = parts.filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`);
  return said.length > 0 ? said.join(' ') : '0 s';
}

/** Even marks for a scale of this length, on round times, no more than there is room for. */
export function scaleSteps(seconds: number, most = 6): number[] {
  const round = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
  const step = round.find((candidate) => seconds / candidate <= most) ?? 7200;
  const marks: number[] = [];
  for (let at = 0; at < seconds - step * 0.4; at += step) marks.push(at);
  return marks;
}
