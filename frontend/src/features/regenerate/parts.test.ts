import { describe, expect, it } from 'vitest';
import { faultsOf, inOrder, type Part } from './parts';

const part = (key: number, start: string, end: string): Part => ({ key, start, end });

describe('parts of a piece', () => {
  it.each([
    ['0', '95.000', undefined],
    ['0:90', '1:35.01', undefined],
    ['90', '95.02', 'The track ends before that, at 1:35.000.'],
    ['20', '20', 'It must end after it begins.'],
    ['20', '1:5', 'Write a time such as 0:58.'],
  ])('end within it, after they begin (%s to %s)', (start, end, fault) => {
    expect(faultsOf([part(0, start, end)], 95).get(0)?.end).toBe(fault);
  });

  it('begin in it', () => {
    expect(faultsOf([part(0, '95', '99')], 95).get(0)?.start).toContain('lasts 1:35.000');
    expect(faultsOf([part(0, '-1', '9')], 95).get(0)?.start).toContain('Write a time');
  });

  it('lie apart, in whatever order they were written; they may touch', () => {
    expect(faultsOf([part(0, '50', '60'), part(1, '40', '50')], 95).size).toBe(0);
    const faults = faultsOf([part(0, '50', '60'), part(1, '40', '50.5')], 95);
    expect([...faults.keys()]).toEqual([0]);
    const ordered = inOrder([part(0, '', '5'), part(1, '9', '10'), part(2, '9', '11')]);
    expect(ordered.map(({ key }) => key)).toEqual([1, 2, 0]);
  });
});
