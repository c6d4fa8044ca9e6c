import { isHost, type Tunnel, type TunnelKind, type TunnelSecrets, tunnelSchema } from '../../shared/tunnels.ts';
import type { TunnelEntry } from '../../shared/tunnels-state.ts';
import { parseTarget } from '../home/format-id.ts';
import { parsePort } from '../home/settings-form.ts';
import type { PlainKey } from '../i18n/translate.ts';
import { draftOfLimits, formOfLimits, NO_LIMITS, type PublishForm } from './publish-form.ts';

/** What the dialog edits, as typed; every kind keeps its fields while another one is looked at. */
export interface TunnelForm extends PublishForm {
  kind: TunnelKind;
  name: string;
  peer: string;
  peerPassword: string;
  listenOn: 'this-computer' | 'network';
  listenPort: string;
  host: string;
  port: string;
  user: string;
  proxyPassword: string;
  protocol: 'tcp' | 'udp' | 'http' | 'https';
  publicPort: string;
  publicHost: string;
}
export type TunnelField = keyof TunnelForm;
export type Problems = Partial<Record<TunnelField, PlainKey>>;

const EMPTY: TunnelForm = {
  kind: 'tcp',
  name: '',
  peer: '',
  peerPassword: '',
  listenOn: 'this-computer',
  listenPort: '',
  host: 'localhost',
  port: '',
  user: '',
  proxyPassword: '',
  protocol: 'http',
  publicPort: '',
  publicHost: '',
  ...NO_LIMITS,
};

/** The ports of the kinds that have a usual one. */
const USUAL_PORT: Partial<Record<TunnelKind, string>> = { rdp: '3389', vnc: '5900' };

const portText = (port: number): string => (port === 0 ? '' : String(port));

/** An empty form, or that of a tunnel; secrets are never in it. */
export function formOfTunnel(tunnel: Tunnel | null): TunnelForm {
  if (tunnel === null) return EMPTY;
  const form = { ...EMPTY, kind: tunnel.kind, name: tunnel.name };
  switch (tunnel.kind) {
    case 'publish': {
      const { protocol, host, port, publicPort, publicHost, user } = tunnel;
      return { ...form, ...formOfLimits(tunnel), protocol, host, port: String(port), publicPort: portText(publicPort), publicHost, user };
    }
    case 'proxy': {
      const { peer, listenOn, listenPort, user } = tunnel;
      return { ...form, peer, listenOn, listenPort: portText(listenPort), user };
    }
    default: {
      const { peer, listenOn, listenPort, host, port } = tunnel;
      return { ...form, peer, listenOn, listenPort: portText(listenPort), host, port: String(port) };
    }
  }
}

/** The form after another kind was chosen: a port that only the old kind had suggested goes with it. */
export function withKind(form: TunnelForm, kind: TunnelKind): TunnelForm {
  const untouched = form.port === '' || form.port === USUAL_PORT[form.kind];
  return { ...form, kind, port: untouched ? (USUAL_PORT[kind] ?? '') : form.port };
}

/** Message for a field that the schema refuses. */
const PROBLEMS: Partial<Record<TunnelField, PlainKey>> = {
  peer: 'tunnels.invalid.peer',
  host: 'tunnels.invalid.host',
  port: 'tunnels.invalid.port',
  listenPort: 'tunnels.invalid.port',
  publicPort: 'tunnels.invalid.port',
  publicHost: 'tunnels.invalid.publicHost',
  more: 'tunnels.invalid.more',
  allow: 'tunnels.invalid.allow',
  user: 'tunnels.invalid.userName',
  healthPath: 'tunnels.invalid.healthPath',
  maxConnections: 'tunnels.invalid.number',
  bandwidthMbps: 'tunnels.invalid.number',
};

/** A typed port for the schema: empty means any, and what is no port is refused there. */
const optionalPort = (typed: string): number => (typed.trim() === '' ? 0 : (parsePort(typed) ?? Number.NaN));

function draft(form: TunnelForm, id: string, run: boolean): object {
  const common = { id, run, kind: form.kind, name: form.name.trim() };
  const peer = parseTarget(form.peer) ?? '';
  const here = { listenOn: form.listenOn, listenPort: optionalPort(form.listenPort) };
  const target = { host: form.host.trim(), port: parsePort(form.port) ?? Number.NaN };
  if (form.kind === 'proxy') return { ...common, ...here, peer, user: form.user.trim() };
  if (form.kind !== 'publish') return { ...common, ...here, ...target, peer };
  const named = form.protocol === 'http' || form.protocol === 'https';
  const { protocol } = form;
  return {
    ...common,
    ...target,
    protocol,
    publicPort: named ? 0 : optionalPort(form.publicPort),
    publicHost: named ? form.publicHost.trim() : '',
    user: protocol === 'http' ? form.user.trim() : '',
    ...draftOfLimits(form, protocol),
  };
}

export interface Checked {
  tunnel: Tunnel;
  secrets: TunnelSecrets;
}

/** The tunnel that was typed, or what is wrong with which field. `others`: tunnels that listen here too. */
export function checkTunnel(
  form: TunnelForm,
  id: string,
  run: boolean,
  others: readonly TunnelEntry[],
): { ok: true; value: Checked } | { ok: false; problems: Problems } {
  const parsed = tunnelSchema.safeParse(draft(form, id, run));
  const problems: Problems = {};
  for (const { path } of parsed.error?.issues ?? []) {
    const field = path[0] === 'health' ? 'healthPath' : (path[0] as TunnelField);
    problems[field] ??= PROBLEMS[field];
  }
  if (parsed.success) {
    const tunnel = parsed.data;
    if (tunnel.kind !== 'publish' && others.some(({ tunnel: other }) => other.id !== id && sharePort(tunnel, other)))
      problems.listenPort = 'tunnels.invalid.portUsed';
    if (tunnel.kind === 'publish' && (tunnel.protocol === 'http' || tunnel.protocol === 'https') && !isHost(tunnel.publicHost))
      problems.publicHost = 'tunnels.invalid.publicHost';
    if ('user' in tunnel) {
      const hasPassword = form.proxyPassword !== '' || others.some(({ tunnel: other, hasProxyPassword }) => other.id === id && hasProxyPassword);
      if (tunnel.user === '' && form.proxyPassword !== '' && asksVisitors(form)) problems.user = 'tunnels.invalid.user';
      if (tunnel.user !== '' && !hasPassword) problems.proxyPassword = 'tunnels.invalid.password';
    }
    if (Object.keys(problems).length === 0) return { ok: true, value: { tunnel, secrets: secretsOf(form) } };
  }
  return { ok: false, problems };
}

function sharePort(a: Tunnel, b: Tunnel): boolean {
  if (a.kind === 'publish' || b.kind === 'publish' || a.listenPort === 0) return false;
  return a.listenPort === b.listenPort && (a.kind === 'udp') === (b.kind === 'udp');
}

/** Those who use it can be asked for a user and a password. */
function asksVisitors({ kind, protocol }: TunnelForm): boolean {
  return kind === 'proxy' || (kind === 'publish' && protocol === 'http');
}

/** Only what was typed: nothing typed means that what is stored stays. */
function secretsOf(form: TunnelForm): TunnelSecrets {
  const secrets: TunnelSecrets = {};
  if (form.peerPassword !== '' && form.kind !== 'publish') secrets.peerPassword = form.peerPassword;
  if (form.proxyPassword !== '' && asksVisitors(form)) secrets.proxyPassword = form.proxyPassword;
  return secrets;
}
