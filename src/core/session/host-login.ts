import type { hbb } from '../wire/proto.ts';
import type { HostAuthenticator, PasswordCheck, SessionKey } from './authenticator.ts';
import type { SessionKind } from './contract.ts';
import type { PeerIdentity } from './host-types.ts';
import { NAME_LENGTH } from './limits.ts';
import { LOGIN } from './login-strings.ts';
import { versionAtLeast } from './version.ts';

/** What to do with a login request (session §2.6). */
export type LoginDecision =
  /** `recentH1`: what a short reconnect may use again. */
  | { do: 'authorise'; recentH1: Uint8Array }
  /** Nothing was wrong, something is missing. */
  | { do: 'wait'; ask: boolean; error?: string }
  | { do: 'refuse'; error: string; close: boolean; ask: boolean };

export interface LoginContext {
  ownId: string;
  authenticator: HostAuthenticator;
  /** IP address of the peer, without port. */
  address: string;
  tunnelsAllowed: boolean;
  streamsAllowed: boolean;
}

export function kindOf(request: hbb.ILoginRequest): SessionKind {
  if (request.fileTransfer) return 'file-transfer';
  if (request.portForward) return 'port-forward';
  if (request.viewCamera) return 'view-camera';
  if (request.terminal) return 'terminal';
  if (request.tunnel) return 'tunnel';
  return 'desktop';
}

/** Who asks, as far as the request says; `verified`: the link has proven it. */
export function identityOf(request: hbb.ILoginRequest, verified: boolean): PeerIdentity {
  return {
    peerId: (request.myId ?? '').slice(0, NAME_LENGTH),
    name: (request.myName ?? '').slice(0, NAME_LENGTH),
    platform: (request.myPlatform ?? '').slice(0, NAME_LENGTH),
    version: (request.version ?? '').slice(0, NAME_LENGTH),
    kind: kindOf(request),
    verified,
  };
}

/** What must stay the same when a login is tried again on one connection (session §2.4). */
export function loginScope(request: hbb.ILoginRequest): string {
  const { fileTransfer: file, portForward: tunnel, terminal } = request;
  return JSON.stringify([
    request.myId ?? '',
    kindOf(request),
    file?.dir ?? '',
    file?.showHidden ?? false,
    tunnel?.host ?? '',
    tunnel?.port ?? 0,
    terminal?.serviceId ?? '',
  ]);
}

/** Target of a tunnel: an empty host is this machine, the pair (`RDP`, 0) its remote desktop service (session §7). */
export function tunnelTarget(request: hbb.ILoginRequest): { host: string; port: number; label: string } {
  const host = request.portForward?.host || 'localhost';
  const port = request.portForward?.port ?? 0;
  if (host === 'RDP' && port === 0) return { host: 'localhost', port: 3389, label: 'RDP' };
  return { host, port, label: `${host}:${port}` };
}

/** What is decided before any password is looked at; null: it depends on the password. */
export function decideWithoutPassword(
  request: hbb.ILoginRequest,
  context: LoginContext,
): LoginDecision | null {
  const refused = refusedKind(request, context);
  if (refused) return { do: 'refuse', error: refused, close: true, ask: false };
  const username = request.username ?? '';
  if (username !== context.ownId && !looksLikeAddress(username))
    return { do: 'refuse', error: LOGIN.offline, close: true, ask: false };
  if (context.authenticator.approveMode !== 'click') return null;
  // Versions before 1.2.0 do not know the text; they get silence.
  const error = versionAtLeast(request.version ?? '', '1.2.0') ? LOGIN.noPasswordAccess : undefined;
  return { do: 'wait', ask: true, error };
}

/** Nothing is sent for an empty password: the controller shows its prompt meanwhile. */
export function decideEmptyPassword({ authenticator }: LoginContext): LoginDecision {
  return { do: 'wait', ask: authenticator.approveMode === 'both' };
}

export function decidePassword(
  request: hbb.ILoginRequest,
  context: LoginContext,
  check: PasswordCheck,
): LoginDecision {
  const { authenticator, address } = context;
  const recent = authenticator.verifyRecent(sessionKey(request), check);
  if (recent) return { do: 'authorise', recentH1: recent };
  const result = authenticator.verify(check, address);
  if (result.ok) return { do: 'authorise', recentH1: result.h1 };
  return {
    do: 'refuse',
    error: result.error,
    close: false,
    ask: authenticator.approveMode === 'both' && result.error === LOGIN.wrongPassword,
  };
}

/** Which window of which controller it is, over reconnects (session §2.8). */
function sessionKey(request: hbb.ILoginRequest): SessionKey {
  return { myId: request.myId ?? '', myName: request.myName ?? '', sessionId: request.sessionId ?? 0n };
}

function refusedKind(
  request: hbb.ILoginRequest,
  { tunnelsAllowed, streamsAllowed }: LoginContext,
): string | null {
  switch (kindOf(request)) {
    case 'file-transfer':
      return LOGIN.noFileTransfer;
    case 'view-camera':
      return LOGIN.noCamera;
    case 'terminal':
      return LOGIN.noTerminal;
    case 'port-forward': {
      const { port } = tunnelTarget(request);
      return tunnelsAllowed && port > 0 && port <= 0xffff ? null : LOGIN.noTunnel;
    }
    case 'tunnel':
      return streamsAllowed ? null : LOGIN.noTunnel;
    default:
      return null;
  }
}

/** An IP address with or without port, or `domain.tld:port`: what a direct connection is dialled with (session §2.5). */
function looksLikeAddress(name: string): boolean {
  if (name.length > 300) return false;
  if (/^\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?$/.test(name)) return true;
  if (/^\[[0-9a-fA-F:.]{2,45}(%[\w.-]+)?\](:\d{1,5})?$/.test(name)) return true;
  if (name.split(':').length > 2 && /^[0-9a-fA-F:.]{2,45}(%[\w.-]+)?$/.test(name)) return true;
  return /^[\w-]+(\.[\w-]+)+:\d{1,5}$/.test(name);
}
