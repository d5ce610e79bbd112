import { readClock } from '@/ui/time';

/**
 * Reads a place in audio as a frame: a whole number is one already, "1:02.345" and "62.345"
 * are times. undefined if it is neither.
 */
export function readFrame(text: string, sampleRateHz: number): bigint | undefined {
  const typed = text.trim().replace(',', '.');
  if (/^\d{1,15}$/.test(typed)) return BigInt(typed);
  const seconds = readClock(typed);
  return Number.isNaN(seconds) ? undefined : BigInt(Math.round(seconds * sampleRateHz));
}

/** Seconds until the clock here next shows "07:00"; NaN for what is no time of day. */
export function secondsUntil(text: string, now: Date): number {
  const time = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text.trim());
  if (time === null) return Number.NaN;
  const target = new Date(now);
  target.setHours(Number(time[1]), Number(time[2]), 0, 0);
  if (target <= now) target.setDate(target.getDate() + 1);
  return (target.getTime() - now.getTime()) / 1000;
}

/** A number as people type it; NaN for what is none. */
export function readNumber(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text.trim().replace(',', '.'));
}
