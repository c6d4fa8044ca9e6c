export function createWindowsInjector(): never {
  throw new Error('not written yet');
}
