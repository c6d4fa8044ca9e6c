/** Plain data as text for people: a list of records as a table, a record as lines. */

/** Tables, `name value` lines, or the value itself; ends without a line break. */
export function renderText(value: unknown): string {
  if (Array.isArray(value)) return value.length === 0 ? '(none)' : value.every(isRecord) ? table(value) : value.map(cell).join('\n');
  if (!isRecord(value)) return cell(value);
  const entries = Object.entries(value);
  const width = Math.max(0, ...entries.map(([name]) => name.length));
  return entries
    .map(([name, entry]) =>
      Array.isArray(entry) && entry.length > 0 && entry.every(isRecord)
        ? `${name}\n${indent(table(entry))}`
        : isRecord(entry)
          ? `${name}\n${indent(renderText(entry))}`
          : `${name.padEnd(width)}  ${cell(entry)}`,
    )
    .join('\n');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function table(rows: readonly Record<string, unknown>[]): string {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_column, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
  return lines.map((line) => line.map((text, i) => text.padEnd(widths[i] ?? 0)).join('  ').trimEnd()).join('\n');
}

function cell(value: unknown): string {
  if (value === undefined || value === null || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  const text = typeof value === 'object' ? (Array.isArray(value) ? value.map(cell).join(', ') : JSON.stringify(value)) : String(value);
  // Ids and notes come from the network: what is printed must not steer the terminal.
  return [...text].map((c) => (c >= ' ' && !/[\u007f-\u009f\u202a-\u202e\u2066-\u2069]/.test(c) ? c : '\ufffd')).join('') || '-';
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '  ');
}
