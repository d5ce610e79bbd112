import { describe, expect, it } from 'vitest';
import { sizeWords } from './size';

describe('a size', () => {
  it('reads as people say it', () => {
    const sizes = [0, 999, 45_000, 1_234_567, 910_000_000, 12e9, 2.65e9];
    expect(sizes.map(sizeWords)).toEqual([
      '0 B',
      '999 B',
      '45 kB',
      '1.2 MB',
      '910 MB',
      '12 GB',
      '2.7 GB',
    ]);
  });
});
