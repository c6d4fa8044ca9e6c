import { useEffect, useRef, useState } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { RATE_SAMPLES, type TunnelStatus } from '../../shared/tunnels-state.ts';
import styles from './tunnels.module.css';

/** Below this a graph stays flat: keep-alives are not worth a mountain. */
const MIN_SCALE_BPS = 4_096;
const HEIGHT = 36;

/** The last minute of both directions, the newest on the right. */
export function RateGraph({ rates, label }: { rates: TunnelStatus['rates']; label: string }) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  const data = useRef<uPlot.AlignedData>([[], [], []]);
  const dark = useDark();

  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const made = new uPlot(optionsOf(element), data.current, element);
    plot.current = made;
    const follow = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    follow.observe(element);
    return () => {
      follow.disconnect();
      plot.current = null;
      made.destroy();
    };
    // The colours are read off the page when the plot is made.
  }, [dark]);
  useEffect(() => {
    data.current = [Array.from({ length: RATE_SAMPLES }, (_, i) => i), padded(rates.inBps), padded(rates.outBps)];
    plot.current?.setData(data.current);
  }, [rates, dark]);

  return <div ref={frame} className={styles.graph} role="img" aria-label={label} data-testid="tunnel-graph" />;
}

function padded(history: readonly number[]): number[] {
  return [...Array<number>(RATE_SAMPLES - history.length).fill(0), ...history];
}

function optionsOf(element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(name).trim();
  const line = (name: string): uPlot.Series => ({
    stroke: colour(name),
    fill: `color-mix(in srgb, ${colour(name)} 16%, transparent)`,
    width: 1.5,
    points: { show: false },
  });
  return {
    width: element.clientWidth,
    height: HEIGHT,
    padding: [2, 0, 1, 0],
    cursor: { show: false },
    legend: { show: false },
    axes: [{ show: false }, { show: false }],
    scales: {
      x: { time: false, range: () => [0, RATE_SAMPLES - 1] },
      y: { range: (_plot, _min, max) => [0, Math.max(max, MIN_SCALE_BPS)] },
    },
    series: [{}, line('--rate-in'), line('--rate-out')],
  };
}

function useDark(): boolean {
  const [dark, setDark] = useState(() => matchMedia('(prefers-color-scheme: dark)').matches);
  useEffect(() => {
    const query = matchMedia('(prefers-color-scheme: dark)');
    const follow = () => setDark(query.matches);
    query.addEventListener('change', follow);
    return () => query.removeEventListener('change', follow);
  }, []);
  return dark;
}
