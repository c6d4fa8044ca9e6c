import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/testing/seeds.ts';
import { PortMapper } from './port-mapper.ts';
import { advance, errorOf, TestGateway, whileRunning } from './test-gateway.ts';

let clock: VirtualClock;
let gateway: TestGateway;
let mapper: PortMapper;
beforeEach(() => {
  clock = new VirtualClock();
  gateway = new TestGateway(clock, 'upnp');
  const random = seededRandom(1);
  mapper = new PortMapper({ stateFile: null, clock, network: gateway, random: (count) => random.bytes(count), wallMs: () => clock.now(), protocols: ['upnp'] });
});
const during = <T>(work: Promise<T>): Promise<T> => whileRunning(clock, work);
const NEIGHBOUR = { protocol: 'udp', externalPort: 4000, client: '192.168.1.66', internalPort: 9, untilMs: Number.POSITIVE_INFINITY, by: 'upnp' } as const;

describe('opening a port', () => {
  test.each([1, 2] as const)('IGD %i: a port that another computer has stays with it', async (igd) => {
    gateway.igd = igd;
    gateway.open.set('udp 4000', NEIGHBOUR);
    const mapping = await during(mapper.map('udp', 4000));
    expect(mapping.externalPort).not.toBe(4000);
    expect(gateway.open.get('udp 4000')).toBe(NEIGHBOUR);
    expect(gateway.askedFor('AddAnyPortMapping')).toHaveLength(igd === 2 ? 1 : 0);
    await during(mapper.stop());
    expect([...gateway.open.keys()]).toEqual(['udp 4000']);
  });

  test('a gateway of version 2 that does not choose ports after all', async () => {
    gateway.upnpErrors.set('AddAnyPortMapping', [602]);
    expect((await during(mapper.map('tcp', 4000))).externalPort).toBe(4000);
    await during(mapper.stop());
  });

  test('only permanent leases: no lease is asked for, and the port is closed with the end', async () => {
    gateway.permanentOnly = true;
    const mapping = await during(mapper.map('udp', 4000));
    expect(mapping.expiresMs).toBe(Number.POSITIVE_INFINITY);
    await advance(clock, 13 * 3_600_000, 60_000);
    expect(mapper.report().mappings).toEqual([mapping]);
    await during(mapper.stop());
    expect(gateway.open.size).toBe(0);
  });

  test('conflicts lead to other ports, six at most', async () => {
    gateway.igd = 1;
    gateway.upnpErrors.set('AddPortMapping', [718, 729]);
    expect((await during(mapper.map('udp', 4000))).externalPort).not.toBe(4000);
    gateway.upnpErrors.set('AddPortMapping', Array.from({ length: 20 }, () => 718));
    gateway.asked.length = 0;
    const { code, message } = await errorOf(during(mapper.map('udp', 4001)));
    expect([code, message]).toEqual(['PORT_MAP_REFUSED', expect.stringContaining('UPnP error 718')]);
    expect(gateway.askedFor('AddPortMapping')).toHaveLength(6);
    await during(mapper.stop());
  });

  test('the same port outside as inside, where the gateway insists', async () => {
    gateway.igd = 1;
    gateway.open.set('udp 4000', NEIGHBOUR);
    gateway.upnpErrors.set('AddPortMapping', [724, 724, 724, 724, 724, 724, 724]);
    expect((await errorOf(during(mapper.map('udp', 4000)))).message).toContain('UPnP error 724');
    await during(mapper.stop());
  });

  test('a gateway that says yes and does nothing is found out', async () => {
    gateway.lies = true;
    expect((await errorOf(during(mapper.map('udp', 4000)))).message).toContain('it says that the port is open, and it is not');
    await during(mapper.stop());
  });

  test('a port that became another computer’s is not closed', async () => {
    await during(mapper.map('udp', 4000));
    gateway.open.set('udp 4000', NEIGHBOUR);
    await during(mapper.stop());
    expect(gateway.open.get('udp 4000')).toBe(NEIGHBOUR);
  });
});

describe('a gateway that cannot be trusted', () => {
  const outcome = async (): Promise<string> => {
    const { code } = await errorOf(during(mapper.map('udp', 4000)));
    const { state, reason } = mapper.report().protocols.upnp;
    await during(mapper.stop());
    expect([clock.pending, gateway.doors]).toEqual([0, 0]);
    return `${code} ${state}: ${reason}`;
  };

  test.each(['http://192.168.1.66/root.xml', 'https://192.168.1.1/root.xml', 'http://router/root.xml', 'javascript:1'])('a description at %s is not asked for', async (location) => {
    gateway.location = location;
    gateway.web = () => Promise.reject(new Error('was asked'));
    expect(await outcome()).toBe('PORT_MAP_NO_ANSWER no-answer: it names a description that is not its own');
  });

  test('answers of another computer do not count', async () => {
    gateway.tamper = (answer, deliver) => deliver(answer, { host: '192.168.1.66', port: 1900 });
    expect(await outcome()).toBe('PORT_MAP_NO_ANSWER no-answer: ');
  });

  test('redirects are not followed', async () => {
    gateway.web = async () => ({ status: 302, body: '' });
    expect(await outcome()).toBe('PORT_MAP_REFUSED refused: its description sends us elsewhere');
  });

  test('a page of something else', async () => {
    gateway.web = async () => ({ status: 200, body: '<!DOCTYPE html><html><body>Login</body></html>' });
    expect(await outcome()).toBe('PORT_MAP_REFUSED refused: what it answered makes no sense');
  });

  test('one that never ends its answer', async () => {
    gateway.web = (_, signal) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
    expect(await outcome()).toBe('PORT_MAP_NO_ANSWER no-answer: it answered too slowly');
  });

  test('a thousand answers lead to three descriptions at most', async () => {
    let asked = 0;
    gateway.web = async () => {
      asked += 1;
      return { status: 404, body: '' };
    };
    gateway.tamper = (answer, deliver, from) => {
      for (let i = 0; i < 1_000; i++) deliver(Buffer.from(Buffer.from(answer).toString().replace('root.xml', `root${i}.xml`)), from);
    };
    expect(await outcome()).toBe('PORT_MAP_REFUSED refused: its description cannot be had (HTTP 404)');
    expect(asked).toBe(3);
  });
});
