import { expect, test } from 'vitest';
import type { ControllerSessionOptions } from './controller-types.ts';
import { setUpPair } from './fixtures.ts';
import type { HostSessionOptions } from './host-types.ts';

/** Lets the promises of a connecting target settle. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}

function tunnel(
  onPortForward: HostSessionOptions['onPortForward'],
  more: Partial<ControllerSessionOptions> = {},
) {
  let raw = 0;
  const pair = setUpPair(
    {
      kind: 'port-forward',
      portForward: { host: '', port: 8000 },
      password: 'secret',
      onRawMode: () => raw++,
      ...more,
    },
    { onPortForward },
  );
  return { ...pair, rawModes: () => raw };
}

test('both ends go raw after the login response, and leave the link alone from then on', async () => {
  const asked: [string, number][] = [];
  let started = 0;
  const setup = tunnel(async (host, port) => {
    asked.push([host, port]);
    return { start: () => started++, cancel: () => {} };
  });
  await settle();
  expect(asked).toEqual([['localhost', 8000]]);
  expect(setup.events.of('raw')).toEqual([{ host: 'localhost', port: 8000 }]);
  expect(setup.rawModes()).toBe(1);
  expect(started).toBe(1);
  expect(setup.clock.pending).toBe(0);
  setup.controllerLink.send(new Uint8Array([1, 2, 3]));
  expect(setup.events.of('closed')).toEqual([]);
});

test('the pair RDP, 0 is the remote desktop service of the host', async () => {
  const asked: [string, number][] = [];
  tunnel(
    async (host, port) => {
      asked.push([host, port]);
      return { start: () => {}, cancel: () => {} };
    },
    { portForward: { host: 'RDP', port: 0 } },
  );
  await settle();
  expect(asked).toEqual([['localhost', 3389]]);
});

test('a target that cannot be reached is named in the refusal', async () => {
  const setup = tunnel(async () => {
    throw new Error('refused');
  });
  await settle();
  expect(setup.controllerEvents.of('closed')[0]).toMatchObject({
    reason: 'Failed to access remote localhost:8000. Please make sure it is reachable/open.',
    retry: false,
    error: { code: 'TUNNEL_TARGET_UNREACHABLE' },
  });
  expect(setup.rawModes()).toBe(0);
});

test('raw mode waits for the echo that is under way', async () => {
  const setup = tunnel(async () => ({ start: () => {}, cancel: () => {} }), { password: undefined });
  // The host's first heartbeat is on its way, and the echo waits at the controller.
  setup.controllerLink.auto = false;
  setup.clock.advance(25);
  setup.host.accept();
  await settle();
  expect(setup.events.of('raw')).toEqual([]);
  setup.controllerLink.flush();
  expect(setup.events.of('raw')).toHaveLength(1);
});

test('a target that connects after the session ended is given up', async () => {
  let cancelled = 0;
  let connect: (target: { start(): void; cancel(): void }) => void = () => {};
  const setup = tunnel(
    () =>
      new Promise((resolve) => {
        connect = resolve;
      }),
  );
  setup.controller.close();
  connect({ start: () => {}, cancel: () => cancelled++ });
  await settle();
  expect(cancelled).toBe(1);
});

test('a peer that stops reading is dropped after twelve seconds', () => {
  const pair = setUpPair({ password: 'secret' });
  pair.link.auto = false;
  pair.host.chat('x'.repeat(1000));
  pair.clock.advance(14_000);
  expect(pair.events.of('closed')[0]).toMatchObject({
    by: 'timeout',
    error: { code: 'SESSION_WRITE_STALLED' },
  });
  expect(pair.clock.pending).toBe(0);
});

test('a session of streams alone: no picture, and the link is for the mux once both sides agreed', async () => {
  const pair = setUpPair({ kind: 'tunnel', password: 'secret' }, { streams: true });
  expect(pair.events.of('raw')).toHaveLength(1);
  expect(pair.events.of('opened')).toMatchObject([{ kind: 'tunnel' }]);
  expect(pair.controllerEvents.of('opened')).toHaveLength(1);
  expect(pair.clock.pending).toBe(0);
});

test('a host that does not announce streams is never asked for them', () => {
  const pair = setUpPair({ kind: 'tunnel', password: 'secret' });
  expect(pair.controllerEvents.of('closed')).toMatchObject([
    { retry: false, error: { code: 'STREAMS_NOT_OFFERED' } },
  ]);
  expect(pair.events.of('login-attempt')).toEqual([]);
});
