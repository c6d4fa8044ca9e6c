import { expect, it } from 'vitest';
import { formatInvitation, parseInvitation } from './invitation.ts';

const key = 'OeVuKk5nlHiXp+APNn0Y3pC1Iwpwn44JGqrQCsWqmBw=';

it.each([
  { host: '203.0.113.10', port: 21116, key },
  { host: 'desk.example.org', port: 443, key },
  { host: '2001:db8::1', port: 31116, key },
  { host: 'desk.example.org', port: 21116, key: 'a text of one’s own & more' },
  { host: 'desk.example.org', port: 21116, key: '' },
  { host: 'desk.example.org', port: 443, key, single: true, tls: true, token: 'Zx-_9' },
  { host: 'desk.example.org', port: 21116, key, peer: { id: '123456789', key: `${'+/'.repeat(21)}8=` } },
  { host: 'desk.example.org', port: 21116, key, extra: { relay: 'r.example:21117', 'für später': 'a&b=c #1' } },
])('reads what it wrote: $host:$port', (invitation) => {
  expect(parseInvitation(` ${formatInvitation(invitation)}\n`)).toEqual(invitation);
});

it('takes no half of a computer: an id without its key says nothing', () => {
  const line = formatInvitation({ host: 'desk.example.org', port: 21116, key, extra: { peer: '123456789', peerKey: 'short' } });
  expect(parseInvitation(line)).toEqual({ host: 'desk.example.org', port: 21116, key });
});

it('survives a mail program that breaks lines', () => {
  const line = formatInvitation({ host: 'desk.example.org', port: 21116, key, token: 'abc' });
  expect(parseInvitation(`  ${line.slice(0, 40)}\r\n ${line.slice(40)} `).token).toBe('abc');
});

it('notices every single changed or missing character', () => {
  const line = formatInvitation({ host: 'desk.example.org', port: 21117, key });
  for (let i = 0; i < line.length; i++) {
    const changed = `${line.slice(0, i)}${line[i] === '1' ? '2' : '1'}${line.slice(i + 1)}`;
    expect(() => parseInvitation(changed), changed).toThrow(expect.objectContaining({ stage: 'usage' }));
    const shorter = line.slice(0, i) + line.slice(i + 1);
    expect(() => parseInvitation(shorter), shorter).toThrow(expect.objectContaining({ stage: 'usage' }));
  }
});

it.each(['', 'https://example.org', 'litedesk://', `litedesk://${'x'.repeat(5000)}`])('says what is wrong with %.30s', (text) => {
  expect(() => parseInvitation(text)).toThrow(expect.objectContaining({ code: 'INVITATION_BROKEN' }));
});
