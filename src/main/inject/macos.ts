export function createMacInjector(): never {
  throw new Error('not written yet');
}
