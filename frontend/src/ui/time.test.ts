import { describe, expect, it } from 'vitest';
import { clock, lengthWords, scaleSteps } from './time';

describe('times', () => {
  it('read like a counter', () => {
    expect([0, 65.9, 3_729, -1].map(clock)).toEqual(['0:00', '1:05', '1:02:09', '0:00']);
  });

  it('read like words', () => {
    expect([0, 30, 90, 36_000, 3_661].map(lengthWords)).toEqual([
      '0 s',
      '30 s',
      '1 min 30 s',
      '10 h',
      '1 h 1 min 1 s',
    ]);
  });

  it('make scales with room between the marks', () => {
    for (const seconds of [1, 30, 90, 600, 36_000]) {
      const steps = scaleSteps(seconds);
      expect(steps.length).toBeLessThanOrEqual(6);
      expect(steps[0]).toBe(0);
    }
    expect(scaleSteps(90, 3)).toEqual([0, 30, 60]);
  });
});
