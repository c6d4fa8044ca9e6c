import { describe, expect, it } from 'vitest';
import { type ComparablePicture, PictureChanges } from './picture-changes.ts';

const picture = (...bytes: number[]): ComparablePicture => ({
  allocationSize: () => bytes.length,
  copyTo: async (destination) => destination.set(bytes),
});

async function verdicts(pictures: readonly ComparablePicture[]): Promise<boolean[]> {
  const changes = new PictureChanges();
  const all: boolean[] = [];
  for (const each of pictures) all.push(await changes.isNew(each));
  return all;
}

describe('PictureChanges', () => {
  it('takes a picture once, down to its last byte', async () => {
    const [a, b] = [picture(1, 2, 3, 4, 5, 6), picture(1, 2, 3, 4, 5, 7)];
    expect(await verdicts([a, a, b, b, a])).toEqual([true, false, true, false, true]);
  });

  it('takes a picture of another size', async () => {
    expect(await verdicts([picture(1, 2, 3, 4), picture(1, 2, 3, 4, 0), picture(1, 2, 3, 4)])).toEqual([true, true, true]);
  });

  it('takes what cannot be read', async () => {
    const broken: ComparablePicture = { allocationSize: () => 4, copyTo: () => Promise.reject(new Error('gone')) };
    expect(await verdicts([picture(1, 2, 3, 4), broken, picture(1, 2, 3, 4)])).toEqual([true, true, true]);
  });

  it('notices that motion ended, wherever it ends', async () => {
    for (let moving = 1; moving < 20; moving++) {
      const pictures = Array.from({ length: moving + 12 }, (_, i) => picture(0, 0, 0, Math.min(i, moving)));
      expect((await verdicts(pictures)).slice(-4)).toEqual([false, false, false, false]);
    }
  });

  it('never leaves out a picture that differs from the one before', async () => {
    const blinking = Array.from({ length: 40 }, (_, i) => picture(0, 0, 0, i % 3));
    expect(await verdicts(blinking)).not.toContain(false);
  });
});
