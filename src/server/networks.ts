/** Which addresses belong to one computer or household, as far as one can tell. */

/**
 * The same IPv4 address, or the same /64 of IPv6: a computer changes the lower half of its IPv6 address as it likes, and
 * may use another one for TCP than for UDP.
 */
export function sameNetwork(a: string, b: string): boolean {
  if (a === b) return a !== '';
  return a.includes(':') && b.includes(':') && prefix64(a) === prefix64(b);
}

/** The first four groups of a canonical IPv6 address. */
export function prefix64(host: string): string {
  const [head = '', tail] = host.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return groups.slice(0, 4).join(':');
}
