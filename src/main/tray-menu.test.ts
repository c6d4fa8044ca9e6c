import { describe, expect, test } from 'vitest';
import { trayMenu, type TrayState, trayStatus } from './tray-menu.ts';

const STATE: TrayState = { id: '123456789', sharing: true, registration: 'ready', controlledBy: [], tunnels: 0 };
const labels = (state: TrayState) => trayMenu(state, 'en').map((entry) => (entry === 'separator' ? '-' : entry.label));

describe('the menu in the tray', () => {
  test('says how it is, and offers to open, to stop sharing and to quit', () => {
    expect(labels(STATE)).toEqual(['Ready, ID 123 456 789', '-', 'Open LiteDesk', 'Stop sharing', '-', 'Quit']);
  });

  test('names those who are connected and lets go of them', () => {
    expect(labels({ ...STATE, controlledBy: ['Anna'], tunnels: 2 })).toEqual([
      'Ready, ID 123 456 789',
      'Anna is connected',
      '2 tunnels are on',
      '-',
      'Open LiteDesk',
      'Disconnect everybody',
      'Stop sharing',
      '-',
      'Quit',
    ]);
  });

  test('tells the truth when nobody can connect', () => {
    expect(trayStatus({ ...STATE, registration: 'offline' }, 'en')).toBe('Not reachable at the moment');
    expect(trayStatus({ ...STATE, sharing: false }, 'de')).toBe('Nicht freigegeben');
    expect(labels({ ...STATE, sharing: false })).toContain('Share this computer');
  });
});
