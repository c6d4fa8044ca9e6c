/** The page's graphs. This function runs in the browser, sent as its own source text: it must use nothing from outside. */

export interface ChartSeries {
  /** Its class gives the colour. */
  readonly name: 'one' | 'two';
  readonly label: string;
  /** Unix ms and value, oldest first. */
  readonly points: readonly (readonly [number, number])[];
}

export interface ChartOptions {
  readonly series: readonly ChartSeries[];
  readonly spanMs: number;
  readonly now: number;
  readonly format: (value: number) => string;
  readonly formatTime: (at: number) => string;
}

/** Draws into `box`, replacing what it held. */
export function drawChart(box: HTMLElement, options: ChartOptions): void {
  const SVG = 'http://www.w3.org/2000/svg';
  const { series, spanMs, now, format, formatTime } = options;
  const width = Math.max(240, box.clientWidth);
  const height = 150;
  const pad = { left: 8, right: 8, top: 18, bottom: 20 };
  const inner = { width: width - pad.left - pad.right, height: height - pad.top - pad.bottom };
  const most = Math.max(...series.flatMap((one) => one.points.map((point) => point[1])), 0);
  // The top line is a round number: 1, 2 or 5 with zeros.
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  const top = [1, 2, 5, 10].map((step) => step * power).find((value) => value >= most) ?? most;
  const x = (at: number): number => pad.left + inner.width * (1 - Math.min(1, Math.max(0, (now - at) / spanMs)));
  const y = (value: number): number => pad.top + inner.height * (1 - value / top);
  const make = (name: string, attributes: Record<string, string | number>, parent?: Element): SVGElement => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
    parent?.append(element);
    return element;
  };
  const svg = make('svg', { viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', class: 'chart' });
  svg.setAttribute('aria-label', series.map((one) => `${one.label}: ${format(one.points.at(-1)?.[1] ?? 0)}`).join(', '));
  for (const share of [0, 0.5, 1]) {
    const at = y(top * share);
    make('line', { x1: pad.left, x2: width - pad.right, y1: at, y2: at, class: share === 0 ? 'axis' : 'level' }, svg);
    if (share === 0) continue;
    make('text', { x: pad.left, y: at - 3, class: 'tick' }, svg).textContent = format(top * share);
  }
  const first = now - spanMs;
  make('text', { x: pad.left, y: height - 5, class: 'tick' }, svg).textContent = formatTime(first);
  make('text', { x: width - pad.right, y: height - 5, class: 'tick end' }, svg).textContent = formatTime(now);
  for (const one of series) {
    const points = one.points.filter((point) => point[0] >= first);
    if (points.length === 0) continue;
    const line = points.map((point) => `${x(point[0]).toFixed(1)},${y(point[1]).toFixed(1)}`);
    const [start] = points;
    const end = points.at(-1);
    const base = y(0).toFixed(1);
    if (series.length === 1)
      make('polygon', { points: `${x(start?.[0] ?? 0).toFixed(1)},${base} ${line.join(' ')} ${x(end?.[0] ?? 0).toFixed(1)},${base}`, class: `area ${one.name}` }, svg);
    make('polyline', { points: line.join(' '), class: `line ${one.name}` }, svg);
    if (end) make('circle', { cx: x(end[0]), cy: y(end[1]), r: 3, class: `dot ${one.name}` }, svg);
  }
  // What the value was where the pointer is.
  const mark = make('line', { x1: 0, x2: 0, y1: pad.top, y2: y(0), class: 'mark', visibility: 'hidden' }, svg);
  const label = make('text', { x: 0, y: pad.top - 6, class: 'read', visibility: 'hidden' }, svg);
  svg.addEventListener('pointermove', (event) => {
    const at = event.offsetX * (width / Math.max(1, svg.clientWidth));
    const near = series.map((one) => {
      let best = one.points[0];
      for (const point of one.points) if (best && Math.abs(x(point[0]) - at) < Math.abs(x(best[0]) - at)) best = point;
      return { one, best };
    });
    const when = near[0]?.best?.[0];
    if (when === undefined) return;
    mark.setAttribute('x1', String(x(when)));
    mark.setAttribute('x2', String(x(when)));
    mark.setAttribute('visibility', 'visible');
    label.textContent = `${formatTime(when)}  ${near.map(({ one, best }) => `${series.length > 1 ? `${one.label} ` : ''}${format(best?.[1] ?? 0)}`).join('  ')}`;
    label.setAttribute('visibility', 'visible');
    const right = x(when) > width / 2;
    label.setAttribute('x', String(x(when) + (right ? -6 : 6)));
    label.setAttribute('text-anchor', right ? 'end' : 'start');
  });
  svg.addEventListener('pointerleave', () => {
    mark.setAttribute('visibility', 'hidden');
    label.setAttribute('visibility', 'hidden');
  });
  box.replaceChildren(svg);
}
