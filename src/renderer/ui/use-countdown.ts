import { useEffect, useState } from 'react';

/** Whole seconds left of `ms`, counted from the first render; give the component a new `key` to start again. */
export function useCountdown(ms: number): number {
  const [left, setLeft] = useState(() => Math.max(0, Math.ceil(ms / 1000)));
  useEffect(() => {
    const timer = setInterval(() => setLeft((seconds) => Math.max(0, seconds - 1)), 1000);
    return () => clearInterval(timer);
  }, []);
  return left;
}
