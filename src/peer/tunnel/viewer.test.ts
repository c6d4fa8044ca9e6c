import { expect, test } from 'vitest';
import { viewerCommand } from './viewer.ts';

const has = (...programs: string[]) => (program: string) => programs.includes(program);

test.each([
  ['rdp', 'linux', ['xfreerdp'], { program: 'xfreerdp', args: ['/v:127.0.0.1:3390', '/cert:tofu', '/dynamic-resolution'] }],
  ['vnc', 'linux', ['vncviewer', 'remmina'], { program: 'vncviewer', args: ['127.0.0.1::3390'] }],
  ['vnc', 'linux', ['remmina'], { program: 'remmina', args: ['-c', 'vnc://127.0.0.1:3390'] }],
  ['rdp', 'win32', ['mstsc.exe'], { program: 'mstsc.exe', args: ['/v:127.0.0.1:3390'] }],
  ['vnc', 'darwin', ['open'], { program: 'open', args: ['vnc://127.0.0.1:3390'] }],
  ['rdp', 'linux', [], null],
] as const)('%s on %s with %j', (kind, platform, programs, command) => {
  expect(viewerCommand(kind, '127.0.0.1:3390', platform, has(...programs))).toEqual(command);
});
