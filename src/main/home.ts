/** What the main window shows, read off the peer. */
import { app } from 'electron';
import { formatHostPort } from '../net/index.ts';
import type { NatReport } from '../core/nat/report.ts';
import type { Peer } from '../peer/peer.ts';
import type { HomeState, RegistrationState, Settings } from '../shared/ipc.ts';

export function settingsOf(peer: Peer): Settings {
  const { settings } = peer;
  return {
    server: settings.server,
    key: settings.key,
    language: settings.language,
    shareEnabled: settings.shareEnabled,
    hasPermanentPassword: settings.permanentPasswordHash !== '',
    approveMode: settings.approveMode,
    directAccess: settings.directAccess,
    directAccessPort: settings.directAccessPort,
    lanDiscovery: settings.lanDiscovery,
    portMapping: settings.portMapping,
    plaintextPeers: settings.plaintextPeers,
  };
}

function registrationOf(peer: Peer): RegistrationState {
  if (!peer.server) return { state: 'no-server' };
  if (!peer.sharing) return { state: 'off' };
  const server = formatHostPort(peer.server);
  const state = peer.registration;
  switch (state.state) {
    case 'off':
      return { state: 'off' };
    case 'registering':
      return { state: 'registering', server, attempt: state.attempt };
    case 'ready':
      return { state: 'ready', server, transport: state.transport, latencyMs: state.latencyMs };
    case 'offline':
      return { state: 'offline', server, error: state.error.toData(), retryInMs: state.retryInMs };
  }
}

export function homeState(
  peer: Peer,
  network: Pick<NatReport, 'verdict' | 'facts'> | null,
  hostedServer: HomeState['hostedServer'],
): HomeState {
  return {
    id: peer.id,
    oneTimePassword: peer.oneTimePassword,
    nat: peer.nat,
    natVerdict: network?.verdict ?? null,
    natFacts: network?.facts ?? null,
    fingerprint: peer.fingerprint,
    registration: registrationOf(peer),
    settings: settingsOf(peer),
    incoming: peer.incoming.filter((entry) => entry.peerId !== ''),
    recentPeers: peer.settings.recentPeers.map(({ id, name, platform, lastUsedMs, passwordHash }) => ({
      id,
      name,
      platform,
      lastUsedMs,
      remembered: passwordHash !== undefined,
    })),
    hostedServer,
    version: app.getVersion(),
  };
}
