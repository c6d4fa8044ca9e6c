/** Groups the digits of an id in threes from the right, `123 456 789`; other ids stay as they are. */
export function formatId(id: string): string {
  if (!/^\d{4,}$/.test(id)) return id;
  const head = id.length % 3;
  const groups = id.slice(head).match(/\d{3}/g) ?? [];
  return (head === 0 ? groups : [id.slice(0, head), ...groups]).join(' ');
}

/** Longest thing that can be an id or `host:port`; longer input is a paste accident. */
export const MAX_TARGET_LENGTH = 260;

/** What was typed or pasted as a target, without the blanks and dashes people group digits with; null when empty or hopeless. */
export function parseTarget(typed: string): string | null {
  const trimmed = typed.trim();
  const digits = trimmed.replace(/[\s\u2010-\u2015-]+/g, '');
  const target = /^\d+$/.test(digits) ? digits : trimmed;
  if (target === '' || target.length > MAX_TARGET_LENGTH || /\s/.test(target)) return null;
  return target;
}
