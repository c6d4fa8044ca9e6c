import type { Settings, SettingsChange } from '../../shared/ipc.ts';

/** What the dialog edits; text as typed. */
export interface SettingsForm {
  server: string;
  key: string;
  invitation: string;
  permanentPassword: string;
  removePassword: boolean;
  approveMode: Settings['approveMode'];
  directAccess: boolean;
  directAccessPort: string;
  lanDiscovery: boolean;
  portMapping: boolean;
  plaintextPeers: string[];
}

export function formOf(settings: Settings): SettingsForm {
  return {
    server: settings.server,
    key: settings.key,
    invitation: '',
    permanentPassword: '',
    removePassword: false,
    approveMode: settings.approveMode,
    directAccess: settings.directAccess,
    directAccessPort: String(settings.directAccessPort),
    lanDiscovery: settings.lanDiscovery,
    portMapping: settings.portMapping,
    plaintextPeers: [...settings.plaintextPeers],
  };
}

/** Null unless it is a port number of 1…65535. */
export function parsePort(text: string): number | null {
  const trimmed = text.trim();
  if (!/^\d{1,5}$/.test(trimmed)) return null;
  const port = Number(trimmed);
  return port >= 1 && port <= 65_535 ? port : null;
}

/** Only what differs, so that a field somebody else changed meanwhile is not set back; null when the port is wrong. */
export function changeOf(form: SettingsForm, settings: Settings): SettingsChange | null {
  const change: SettingsChange = {};
  const invitation = form.invitation.trim();
  if (invitation !== '') change.invitation = invitation;
  else {
    if (form.server.trim() !== settings.server) change.server = form.server.trim();
    if (form.key.trim() !== settings.key) change.key = form.key.trim();
  }
  if (form.permanentPassword !== '') change.permanentPassword = form.permanentPassword;
  else if (form.removePassword) change.permanentPassword = '';
  if (form.approveMode !== settings.approveMode) change.approveMode = form.approveMode;
  if (form.directAccess !== settings.directAccess) change.directAccess = form.directAccess;
  if (form.directAccess) {
    const port = parsePort(form.directAccessPort);
    if (port === null) return null;
    if (port !== settings.directAccessPort) change.directAccessPort = port;
  }
  if (form.lanDiscovery !== settings.lanDiscovery) change.lanDiscovery = form.lanDiscovery;
  if (form.portMapping !== settings.portMapping) change.portMapping = form.portMapping;
  if (form.plaintextPeers.length !== settings.plaintextPeers.length)
    change.plaintextPeers = form.plaintextPeers;
  return change;
}
