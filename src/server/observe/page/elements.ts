/**
 * The page's building blocks. All text goes through textContent, since much of it comes from strangers. This function runs in the
 * browser, sent as its own source text: it must use nothing from outside.
 */

export type PageChild = Node | string | null;

export interface BarRow {
  readonly text: string;
  /** Shown behind the text; empty: none. */
  readonly code: string;
  readonly count: number;
  readonly refused: boolean;
}

export interface PageElements {
  readonly h: (name: string, classes: string, ...children: PageChild[]) => HTMLElement;
  readonly choice: (label: string, options: Record<string, string>, value: string, onChange: (value: string) => void) => HTMLElement;
  /** `heads`: text and classes of each column. */
  readonly table: (heads: readonly (readonly [string, string])[], rows: readonly (readonly PageChild[])[]) => HTMLElement;
  readonly bars: (rows: readonly BarRow[]) => HTMLElement;
}

/** `number` writes the counts beside the bars. */
export function pageElements(number: (value: number) => string): PageElements {
  const h = (name: string, classes: string, ...children: PageChild[]): HTMLElement => {
    const element = document.createElement(name);
    if (classes !== '') element.className = classes;
    for (const child of children) if (child !== null) element.append(child);
    return element;
  };
  const choice = (label: string, options: Record<string, string>, value: string, onChange: (value: string) => void): HTMLElement => {
    const select = document.createElement('select');
    select.setAttribute('aria-label', label);
    for (const [name, text] of Object.entries(options)) {
      const option = document.createElement('option');
      option.value = name;
      option.textContent = text;
      option.selected = name === value;
      select.append(option);
    }
    select.addEventListener('change', () => onChange(select.value));
    return select;
  };
  const table = (heads: readonly (readonly [string, string])[], rows: readonly (readonly PageChild[])[]): HTMLElement => {
    const head = h('tr', '', ...heads.map(([text, classes]) => h('th', classes, text)));
    const body = rows.map((row) => h('tr', '', ...row.map((cell, i) => h('td', heads[i]?.[1] ?? '', cell))));
    return h('div', 'scroll', h('table', '', h('thead', '', head), h('tbody', '', ...body)));
  };
  const bars = (rows: readonly BarRow[]): HTMLElement => {
    const most = Math.max(1, ...rows.map((row) => row.count));
    return h(
      'div',
      'bars',
      ...rows.map((row) => {
        const fill = h('div', 'fill');
        fill.style.width = `${(row.count / most) * 100}%`;
        const text = h('span', '', row.text);
        if (row.code !== '') text.append(' ', h('code', '', row.code));
        return h('div', row.refused ? 'bar refused' : 'bar', h('div', 'row', text, h('span', 'count', number(row.count))), h('div', 'track', fill));
      }),
    );
  };
  return { h, choice, table, bars };
}
