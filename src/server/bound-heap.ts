/**
 * Keeps V8 from taking memory ahead of need, for a process that is a server and nothing else: what a registration or a
 * heartbeat leaves behind is dead at once, and the records of 100,000 computers are 35 MB. Left alone, V8 takes 180 MB for
 * them and never gives them back; bounded like this, 50 to 70 MB, for some more garbage collections, which run beside.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** The young generation, both halves together: it doubles under load, otherwise up to 128 MB. */
const YOUNG_BYTES = 16 * 1024 * 1024;
/** The old generation is collected when it has grown by so much since the last time; otherwise by up to 300 %. */
const GROWTH_PERCENT = 50;

/** The settings are the whole process's. The returned function stops watching. */
export function boundHeap(): () => void {
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  const observer = new PerformanceObserver(() => {
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    if (young && young.space_size < YOUNG_BYTES) return;
    // The size itself can only be set before the process starts; how much it grows is asked for anew each time.
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
