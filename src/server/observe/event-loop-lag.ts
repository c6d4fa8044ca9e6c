/** How late the event loop is: a timer that notes by how much it was delayed. */

/** ms between two looks; dense enough to catch stalls that a session feels, sparse enough to cost nothing. */
const INTERVAL_MS = 200;

/** Calls `onLag` with seconds, until the returned function is called. Real time: a virtual clock is never late. */
export function watchEventLoop(onLag: (seconds: number) => void): () => void {
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    onLag(Math.max(0, now - last - INTERVAL_MS) / 1000);
    last = now;
  }, INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
