import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import { hbb } from '../core/wire/index.ts';
import type { LiteDeskError } from '../core/errors.ts';
import { REGISTER_INTERVAL_MS, Registration } from './registration.ts';

const Result = hbb.RegisterPkResponse.Result;

function setUp(mode: 'udp' | 'tcp' = 'udp') {
  const clock = new VirtualClock();
  const sent: hbb.IRendezvousMessage[] = [];
  const states: string[] = [];
  let id = '123456789';
  const registration = new Registration({
    clock,
    mode,
    identity: () => ({ id, uuid: new Uint8Array(16).fill(7), publicKey: new Uint8Array(32).fill(9) }),
    send: (message) => sent.push(message),
    takeNewId: () => {
      id = '1555555555';
    },
    onReady: () => states.push('ready'),
    onTrying: (failures) => states.push(`trying ${failures}`),
    onOffline: (error: LiteDeskError | null) => states.push(`offline ${error?.code ?? 'silent'}`),
  });
  const answerPk = (result: hbb.RegisterPkResponse.Result): boolean =>
    registration.handle(hbb.RendezvousMessage.create({ registerPkResponse: { result } }));
  const answerPeer = (requestPk = false): boolean =>
    registration.handle(hbb.RendezvousMessage.create({ registerPeerResponse: { requestPk } }));
  const kinds = (): string[] => sent.map((message) => Object.keys(message)[0] ?? '');
  return { clock, sent, states, registration, answerPk, answerPeer, kinds };
}

describe('Registration (rendezvous §5.2)', () => {
  it('registers the key, becomes reachable at once, and keeps a heartbeat', () => {
    const t = setUp();
    t.registration.start();
    expect(t.kinds()).toEqual(['registerPk']);
    t.answerPk(Result.OK);
    expect(t.kinds()).toEqual(['registerPk', 'registerPeer']);
    t.answerPeer();
    expect(t.states).toEqual(['ready']);
    t.clock.advance(REGISTER_INTERVAL_MS);
    expect(t.kinds()).toEqual(['registerPk', 'registerPeer', 'registerPeer']);
    t.registration.stop();
    expect(t.clock.pending).toBe(0);
  });

  it('sends the key again when a restarted server asks for it', () => {
    const t = setUp();
    t.registration.start();
    t.answerPk(Result.OK);
    t.answerPeer();
    t.clock.advance(REGISTER_INTERVAL_MS);
    t.answerPeer(true);
    expect(t.kinds().at(-1)).toBe('registerPk');
    t.answerPk(Result.OK);
    expect(t.kinds().at(-1)).toBe('registerPeer');
  });

  it('repeats what is not answered, and says that it is offline after three losses', () => {
    const t = setUp();
    t.registration.start();
    t.clock.advance(60_000);
    expect(t.states.slice(0, 3)).toEqual(['trying 1', 'trying 2', 'offline silent']);
    expect(t.sent.length).toBeGreaterThan(15);
    t.answerPk(Result.OK);
    t.answerPeer();
    expect(t.states.at(-1)).toBe('ready');
  });

  it('takes a new id when the server knows the id with another uuid (§5.5)', () => {
    const t = setUp();
    t.registration.start();
    t.answerPk(Result.UUID_MISMATCH);
    expect(t.sent.at(-1)?.registerPk?.id).toBe('1555555555');
  });

  it('does not hammer a server that refuses every id', () => {
    const t = setUp();
    t.registration.start();
    for (let n = 0; n < 20; n++) t.answerPk(Result.UUID_MISMATCH);
    expect(t.sent.length).toBeLessThan(10);
    expect(t.states.at(-1)).toBe('offline REGISTER_UUID_MISMATCH');
  });

  it('waits when the server says TOO_FREQUENT', () => {
    const t = setUp();
    t.registration.start();
    t.answerPk(Result.TOO_FREQUENT);
    expect(t.states).toEqual(['offline REGISTER_TOO_FREQUENT']);
    expect(t.sent).toHaveLength(1);
    t.clock.advance(7_000);
    expect(t.sent).toHaveLength(2);
  });

  it('over TCP the open connection is the presence: no RegisterPeer (§5.6)', () => {
    const t = setUp('tcp');
    t.registration.start();
    t.answerPk(Result.OK);
    t.clock.advance(120_000);
    expect(t.kinds()).toEqual(['registerPk']);
    expect(t.states).toEqual(['ready']);
  });

  it('ignores answers after stop', () => {
    const t = setUp();
    t.registration.start();
    t.registration.stop();
    t.answerPk(Result.OK);
    expect(t.states).toEqual([]);
  });
});
