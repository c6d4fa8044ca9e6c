/** The admin commands about keys, invitations and who may enrol. */
import { fingerprint } from '../../core/crypto/index.ts';
import { parseDuration } from '../../shared/duration.ts';
import { formatInvitation, type Invitation } from '../../shared/invitation.ts';
import { qrText } from '../../shared/qr.ts';
import { stockConfigLine } from '../../shared/stock-config.ts';
import { type AdminCall, type AdminCommands, adminUsage } from '../admin/registry.ts';
import { renderText } from '../admin/text.ts';
import type { KeyRing } from '../key-ring.ts';
import type { Enrolment } from './enrolment.ts';

export interface KeyCommandsOptions {
  readonly admin: AdminCommands;
  readonly enrolment: Enrolment;
  readonly keys: KeyRing;
  /** What an invitation says besides key and token. */
  readonly entry: () => Omit<Invitation, 'key'>;
}

const DEFAULT_EXPIRES = '7d';
const DEFAULT_OVERLAP = '30d';
const MAX_USES = 1_000_000;
/** Ids in one command. */
const MAX_IDS = 100;

interface Invited {
  readonly invitation: string;
  /** For stock clients: what to enter, and the line that their import takes. */
  readonly server: string;
  readonly key: string;
  readonly stock: string;
  readonly token: { readonly name: string; readonly uses: number | null; readonly expires: string | null } | null;
  readonly qr: string | null;
}

/** Adds the commands. */
export function addKeyCommands({ admin, enrolment, keys, entry }: KeyCommandsOptions): void {
  admin.add<Invited>({
    name: 'invite',
    aliases: ['invite create'],
    usage: '[--uses N|any] [--expires 7d|never] [--note TEXT] [--host NAME] [--no-token] [--qr]',
    help: 'make an invitation: one line to paste, for stock clients what to enter. With --enrolment token it holds a token',
    options: {
      uses: { type: 'string' },
      expires: { type: 'string' },
      note: { type: 'string' },
      host: { type: 'string' },
      'no-token': { type: 'boolean' },
      qr: { type: 'boolean' },
    },
    run: (call) => {
      const where = { ...entry(), ...(text(call, 'host') ? { host: text(call, 'host') as string } : {}) };
      const asked = ['uses', 'expires', 'note'].some((name) => call.values[name] !== undefined);
      const withToken = !call.values['no-token'] && (asked || enrolment.mode !== 'open');
      const made = withToken
        ? enrolment.invite({ maxUses: usesOf(call), expiresInMs: durationOf(call, 'expires', DEFAULT_EXPIRES), note: text(call, 'note') ?? '' })
        : null;
      const key = keys.publicKey;
      const invitation = formatInvitation({ ...where, key, ...(made ? { token: made.token } : {}) });
      const server = `${where.host.includes(':') ? `[${where.host}]` : where.host}${where.port === 21116 ? '' : `:${where.port}`}`;
      return {
        invitation,
        server,
        key,
        stock: stockConfigLine({ host: server, key }),
        token: made && { name: made.info.name, uses: made.info.maxUses, expires: dateOf(made.info.expiresAt) },
        qr: call.values.qr ? qrText(invitation) : null,
      };
    },
    text: inviteText,
  });
  admin.add({
    name: 'invite list',
    aliases: ['invites'],
    help: 'tokens of invitations, and how often each was used',
    run: () =>
      enrolment.invitations().map(({ name, state, uses, maxUses, expiresAt, note }) => ({
        name,
        state,
        uses,
        of: maxUses ?? 'any',
        expires: dateOf(expiresAt) ?? 'never',
        note,
      })),
  });
  admin.add({
    name: 'invite revoke',
    usage: 'NAME',
    help: 'make a token worthless; computers that enrolled with it stay',
    maxArgs: 1,
    run: ({ args: [name] }) => {
      if (!name) throw adminUsage('invite revoke takes the name of a token.');
      const { name: full, state, uses } = enrolment.revoke(name);
      return { name: full, state, uses };
    },
  });
  admin.add({
    name: 'pending',
    help: 'computers that asked to be let in and were not',
    run: () =>
      enrolment.waiting().map(({ id, host, device, since, lastSeen }) => ({
        id,
        host,
        device,
        since: dateOf(since),
        lastSeen: dateOf(lastSeen),
      })),
  });
  for (const [name, help] of [
    ['approve', 'let computers in; each registers within half a minute'],
    ['deny', 'keep computers out, until they are approved'],
  ] as const)
    admin.add({
      name,
      usage: 'ID…',
      help,
      maxArgs: MAX_IDS,
      run: ({ args }) => {
        if (args.length === 0) throw adminUsage(`${name} takes the ID of a computer that \`pending\` shows.`);
        return args.map((id) => ({ id, verdict: enrolment[name](id).verdict }));
      },
    });
  admin.add({
    name: 'denied',
    help: 'computers that are kept out',
    run: () => enrolment.denied().map(({ id, at }) => ({ id, at: dateOf(at) })),
  });
  admin.add({
    name: 'keys',
    help: 'the keys that clients may have now, the one that signs first',
    run: () => keys.list().map(({ key, until }) => ({ key, fingerprint: fingerprint(key), until: dateOf(until) ?? 'in use' })),
  });
  admin.add({
    name: 'rotate-key',
    usage: '[--overlap 30d]',
    help: 'make a new key pair; clients with the old key are served until the overlap is over, ours move on by themselves',
    options: { overlap: { type: 'string' } },
    run: (call) => {
      const { oldKey, newKey, until } = keys.rotate(durationOf(call, 'overlap', DEFAULT_OVERLAP) ?? Number.POSITIVE_INFINITY);
      return {
        key: newKey,
        fingerprint: fingerprint(newKey),
        oldFingerprint: fingerprint(oldKey),
        oldKeyUntil: dateOf(until),
        invitation: formatInvitation({ ...entry(), key: keys.publicKey }),
      };
    },
  });
}

function inviteText({ invitation, server, key, stock, token, qr }: Invited): string {
  const parts = [`Invitation  ${invitation}`];
  if (qr) parts.push('', qr);
  parts.push('', 'For stock clients (network settings, or "import server configuration" with the last line):', '');
  parts.push(renderText({ 'ID server': server, Key: key, Import: stock }));
  if (token) {
    const uses = token.uses === null ? 'any number of computers' : token.uses === 1 ? 'one computer' : `${token.uses} computers`;
    parts.push('', `The token ${token.name} is good for ${uses}${token.expires ? `, until ${token.expires}` : ''}. It is not shown again.`);
    parts.push('A stock client cannot send it: let it in with `litedesk admin approve ID` once `pending` shows it.');
  }
  return parts.join('\n');
}

function text(call: AdminCall, name: string): string | undefined {
  const value = call.values[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function usesOf(call: AdminCall): number | null {
  const value = text(call, 'uses') ?? '1';
  if (value === 'any') return null;
  const uses = Number(value);
  if (!Number.isInteger(uses) || uses < 1 || uses > MAX_USES) throw adminUsage(`--uses takes a number from 1 up, or any, not "${value}".`);
  return uses;
}

function durationOf(call: AdminCall, name: string, fallback: string): number | null {
  const value = text(call, name) ?? fallback;
  const ms = value === '0' ? 0 : parseDuration(value);
  if (ms === undefined) throw adminUsage(`--${name} takes a time like 90m, 12h, 30d or never, not "${value}".`);
  return ms;
}

function dateOf(unixMs: number | null): string | null {
  return unixMs === null || !Number.isFinite(unixMs) ? null : new Date(unixMs).toISOString();
}
