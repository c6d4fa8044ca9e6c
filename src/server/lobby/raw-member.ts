/** One member of a JSON object as the text that came, untouched. */

/**
 * The text of member `name` of the outermost object; of several the last, as JSON.parse takes it; null when there is none.
 * `json` must be an object that JSON.parse accepts: nothing is checked here.
 */
export function rawMember(json: string, name: string): string | null {
  let found: string | null = null;
  let at = json.indexOf('{') + 1;
  for (;;) {
    at = skipSpace(json, at);
    if (json[at] !== '"') return found;
    const keyEnd = endOfString(json, at);
    const key = json.slice(at, keyEnd);
    // Behind the colon.
    const start = skipSpace(json, skipSpace(json, keyEnd) + 1);
    const end = endOfValue(json, start);
    if (JSON.parse(key) === name) found = json.slice(start, end);
    at = skipSpace(json, end);
    if (json[at] !== ',') return found;
    at++;
  }
}

function skipSpace(json: string, from: number): number {
  let at = from;
  while (json[at] === ' ' || json[at] === '\n' || json[at] === '\r' || json[at] === '\t') at++;
  return at;
}

/** Behind the closing quote of the string that begins at `from`. */
function endOfString(json: string, from: number): number {
  let at = from + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

function endOfValue(json: string, from: number): number {
  const first = json[from];
  if (first === '"') return endOfString(json, from);
  let at = from;
  if (first !== '{' && first !== '[') {
    while (at < json.length && !/[\s,}\]]/.test(json[at] ?? '')) at++;
    return at;
  }
  let depth = 0;
  do {
    const char = json[at];
    if (char === '"') {
      at = endOfString(json, at);
      continue;
    }
    if (char === '{' || char === '[') depth++;
    else if (char === '}' || char === ']') depth--;
    at++;
  } while (depth > 0 && at < json.length);
  return at;
}
