import { expect, test } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { PATH_LIMITS } from '../core/nat/limits.ts';
import type { ChangingPorts } from '../core/nat/offer.ts';
import type { PathRole } from '../core/nat/probe-packet.ts';
import { PathAim } from './path-aim.ts';

const ports = (port: number, step = 1): ChangingPorts => ({ last: { host: '198.51.100.7', port }, step });
const settled = async (): Promise<void> => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

/** `said`: what was done, in order. Each look of the server finds the own NAT a hundred ports further. */
function start(role: PathRole): { aim: PathAim; clock: VirtualClock; said: string[] } {
  const clock = new VirtualClock();
  const said: string[] = [];
  let own = 1_000;
  const aim = new PathAim({
    role,
    predict: ({ last }) => said.push(`predict ${last.port}`),
    meet: ({ last }) => said.push(`meet ${last.port}`),
    look: async () => ports((own += 100)),
    tell: ({ last }) => said.push(`tell ${last.port}`),
    after: (delayMs, fn) => void clock.setTimer(delayMs, fn),
  });
  return { aim, clock, said };
}

test('behind a NAT that keeps its port all of the next ports are aimed at, once the own NAT is known', () => {
  const { aim, said } = start('host');
  aim.theirs(ports(5_000));
  expect(said).toEqual([]);
  aim.ownSeen(null);
  aim.theirs(ports(5_000));
  expect(said).toEqual(['predict 5000']);
});

test('a NAT that picks ports at random is not aimed at', () => {
  const { aim, said } = start('host');
  aim.ownSeen(null);
  aim.theirs(ports(5_000, 0));
  expect(said).toEqual([]);
});

test('two that count meet; the controller looks again and says so until the round has had its meetings', async () => {
  const { aim, clock, said } = start('controller');
  aim.ownSeen(ports(1_000));
  for (let i = 0; i < 10; i++) {
    aim.theirs(ports(5_000 + i));
    clock.advance(PATH_LIMITS.meetingAgainMs);
    await settled();
  }
  expect(said.slice(0, 4)).toEqual(['meet 5000', 'tell 1100', 'meet 5001', 'tell 1200']);
  expect(said.filter((what) => what.startsWith('meet'))).toHaveLength(PATH_LIMITS.meetingsPerRound);
});

test('the host looks anew before it follows to another meeting', async () => {
  const { aim, said } = start('host');
  aim.ownSeen(ports(1_000));
  aim.theirs(ports(5_000));
  aim.theirs(ports(5_400));
  await settled();
  expect(said).toEqual(['meet 5000', 'tell 1100', 'meet 5400']);
});
