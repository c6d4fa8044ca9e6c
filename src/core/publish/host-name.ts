/** Names of hosts under which services are published, as they come in offers, Host headers and ClientHellos. */

const MAX_NAME = 253;
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * The one form of a host name: lower case, no dot at the end. Null for what is no name: empty or too long labels, characters
 * beyond letters, digits, `-` and `_`, and IP addresses, which are nobody's name.
 */
export function hostName(text: string): string | null {
  const name = (text.endsWith('.') ? text.slice(0, -1) : text).toLowerCase();
  if (name === '' || name.length > MAX_NAME) return null;
  const labels = name.split('.');
  if (!labels.every((label) => LABEL.test(label))) return null;
  // What ends in a number is read as an IPv4 address by some programs, and as a name by others.
  return /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '') ? null : name;
}

/** The name in a Host header, without its port; '' for an address. Null when it is neither. */
export function hostOfHeader(header: string): string | null {
  if (/^(?:[\d.]{7,15}|\[[0-9a-f:.]{2,45}\])(?::\d{0,5})?$/i.test(header)) return '';
  const match = /^([^:@/\s]+)(?::\d{0,5})?$/.exec(header);
  return match ? hostName(match[1] ?? '') : null;
}
