/** Which headers of a request or an answer a proxy hands on. */

/** They concern one connection only (RFC 9110 §7.6.1), or the proxy itself. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/**
 * Name and value in turn, as Node takes and gives them, without what concerns one connection only and what `Connection` names.
 * `also` is left out, too (lower case).
 */
export function endToEnd(rawHeaders: readonly string[], also: readonly string[] = []): string[] {
  const drop = new Set([...HOP_BY_HOP, ...also]);
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() === 'connection')
      for (const name of (rawHeaders[i + 1] ?? '').split(',')) drop.add(name.trim().toLowerCase());
  const kept: string[] = [];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (!drop.has((rawHeaders[i] ?? '').toLowerCase())) kept.push(rawHeaders[i] as string, rawHeaders[i + 1] as string);
  return kept;
}

/** User and password of `Proxy-Authorization: Basic …`; null for anything else. */
export function basicCredentials(header: string | undefined): { user: string; password: string } | null {
  const [, encoded = ''] = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i.exec(header ?? '') ?? [];
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return encoded === '' || colon < 0 ? null : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** `host:port` of a CONNECT request; null for anything else. */
export function connectAuthority(text: string): { host: string; port: number } | null {
  const [, v6, name, portText = ''] = /^(?:\[([0-9a-fA-F:.]{2,45})\]|([^\s:/?#@[\]]{1,253})):(\d{1,5})$/.exec(text) ?? [];
  const host = v6 ?? name ?? '';
  const port = Number(portText);
  return host === '' || port < 1 || port > 65535 ? null : { host, port };
}

/** Where a request in absolute form goes; null for other forms and other schemes. */
export function absoluteTarget(url: string): { host: string; port: number; path: string; authority: string } | null {
  if (!/^http:\/\//i.test(url) || !URL.canParse(url)) return null;
  const parsed = new URL(url);
  // Nobody needs these; the other side might read them otherwise than we do.
  if (parsed.username !== '' || parsed.password !== '' || parsed.hostname === '') return null;
  return {
    host: parsed.hostname.replace(/^\[|\]$/g, ''),
    port: parsed.port === '' ? 80 : Number(parsed.port),
    path: `${parsed.pathname}${parsed.search}`,
    authority: parsed.host,
  };
}
