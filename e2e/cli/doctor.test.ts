import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildCli, type CliEvent, CliProcess, type CliResult } from '../lib/cli-process.ts';
import { World } from '../lib/world.ts';
import { labUnavailable, type NatKind } from '../natlab/index.ts';
import { sh } from '../natlab/shell.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, the doctor behind NATs: ${unavailable}`);
else buildCli();

/** Where the doctor sits, by the name of the host. */
const PLACES = { open: 'open', cone: 'full-cone', port: 'port-restricted', sym: 'symmetric', seq: 'symmetric-sequential', noudp: 'udp-blocked' } as const satisfies Record<string, NatKind>;

/** Where it sits for what takes a second address of the server, or only its single port. */
const ONCE_MORE = { restr: 'restricted', web: 'only-443', hair: { kind: 'port-restricted', carrier: 'port-restricted', hairpin: true } } as const;

describe.skipIf(unavailable !== null)('litedesk doctor from where clients are', () => {
  let world: World;
  const results = new Map<string, CliResult>();
  beforeAll(async () => {
    world = await World.create({ ...PLACES, ...ONCE_MORE, closed: 'open' }, ['--single-port', '443']);
    await Promise.all(Object.keys(PLACES).map(async (place) => results.set(place, await doctor(place, world.serverArgs))));
  });
  afterAll(() => world?.lab.destroy());

  async function doctor(place: string, args: readonly string[]): Promise<CliResult> {
    const data = join(world.lab.directory, `doctor-${place}`);
    return new CliProcess(world.lab.host(place), ['doctor', '--data', data, ...args]).finished(60_000);
  }
  function check(place: string, name: string): CliEvent {
    const result = results.get(place);
    const found = result?.events.find((event) => event.event === 'check' && event['name'] === name);
    if (!found) throw new Error(`no ${name} at ${place}: ${JSON.stringify(result?.events)} ${result?.stderr}`);
    return found;
  }

  test.each(Object.keys(PLACES))('%s: nothing fails, and one sentence ends it', (place) => {
    const result = results.get(place);
    expect(result?.strayLines).toEqual([]);
    expect(result?.events.filter((event) => event['status'] === 'fail')).toEqual([]);
    expect(result?.events.at(-1)).toMatchObject({ event: 'verdict', ok: true });
    expect(String(result?.events.at(-1)?.['summary'])).not.toContain('\n');
    expect(result?.code).toBe(0);
    for (const name of ['tcp-rendezvous', 'tcp-nat-test', 'websocket', 'registration', 'introduction', 'key', 'relay', 'relay-websocket', 'clock'])
      expect(check(place, name)).toMatchObject({ status: 'ok' });
  });

  test('the NAT is named for what it is', () => {
    expect(check('open', 'nat-mapping')['detail']).toContain('no NAT');
    expect(check('cone', 'nat-mapping')).toMatchObject({ status: 'ok' });
    expect(check('port', 'nat-mapping')['detail']).toContain('holes can be punched');
    expect(check('sym', 'nat-mapping')).toMatchObject({ status: 'warn', code: 'DOCTOR_NAT_SYMMETRIC' });
    expect(check('port', 'introduction')['detail']).toContain(world.lab.host('port').publicAddress);
  });

  test('the network in one sentence, with each fact', () => {
    const network = (place: string): Record<string, string> => check(place, 'network')['facts'] as Record<string, string>;
    expect(check('open', 'network')['detail']).toContain('no NAT');
    expect(network('open')).toMatchObject({ udp: 'yes', 'ipv4-translated': 'no' });
    expect(check('cone', 'network')['detail']).toContain('not strict');
    expect(network('cone')).toMatchObject({ 'mapping-varies-by-port': 'no', 'answers-from-another-port-come-in': 'yes', 'port-kept': 'yes' });
    expect(check('port', 'network')['detail']).toContain('keeps its ports');
    expect(network('port')).toMatchObject({ 'mapping-varies-by-port': 'no', 'answers-from-another-port-come-in': 'no' });
    expect(check('sym', 'network')['detail']).toContain('at random');
    expect(network('sym')).toMatchObject({ 'mapping-varies-by-port': 'yes', 'tcp-mapping-varies-by-port': 'yes' });
    expect(check('seq', 'network')['detail']).toContain('in steps');
    expect(check('noudp', 'network')['detail']).toContain('no UDP');
    expect(network('noudp')).toMatchObject({ udp: 'no', 'mapping-varies-by-port': 'not-tested', 'tcp-mapping-varies-by-port': 'no' });
  });

  test('with a second address of the server it shows what a NAT lets in, over UDP and TCP', async () => {
    const server = world.lab.host('server');
    const second = server.address.replace(/\d+$/, '250');
    sh(`ip -n ${server.namespace} addr add ${second}/24 dev eth0`);
    const process = new CliProcess(server, ['server', '--data', join(world.lab.directory, 'second'), '--port', '22116', '--second-address', second]);
    const key = String((await process.waitFor('ready'))['key']);
    const seen = async (place: string): Promise<Record<string, string>> => {
      const { events } = await doctor(place, ['--server', `${server.address}:22116`, '--key', key]);
      return (events.find(({ name }) => name === 'network')?.['facts'] ?? {}) as Record<string, string>;
    };
    const facts = (port: string, address: string): Record<string, string> => ({
      'answers-from-another-port-come-in': port,
      'answers-from-another-address-come-in': address,
      'tcp-from-another-port-comes-in': port,
      'tcp-from-another-address-comes-in': address,
      'mapping-varies-by-address': 'no',
    });
    const [cone, restr, port, hair] = await Promise.all(['cone', 'restr', 'port', 'hair'].map(seen));
    expect(cone).toMatchObject(facts('yes', 'yes'));
    expect(restr).toMatchObject(facts('yes', 'no'));
    expect(port).toMatchObject({ ...facts('no', 'no'), hairpin: 'no' });
    expect(hair).toMatchObject({ ...facts('no', 'no'), hairpin: 'yes' });
  });

  test('where nothing but port 443 gets out that is said', async () => {
    const { events } = await doctor('web', ['--server', `single://${world.serverAddress}:443`, '--key', world.key]);
    const network = events.find(({ name }) => name === 'network');
    expect(network?.['detail']).toContain('nothing out but connections to the one port');
    expect(network?.['facts']).toMatchObject({ udp: 'no', tcp: 'yes', 'tcp-to-other-ports': 'no' });
  });

  test('where UDP is blocked the registration goes over TCP', () => {
    expect(check('noudp', 'udp-rendezvous')).toMatchObject({ status: 'warn', code: 'DOCTOR_NO_ANSWER' });
    expect(check('noudp', 'registration')['detail']).toContain('over TCP');
  });

  test('a place without a server, and another key', async () => {
    const nowhere = await doctor('open', ['--server', world.lab.host('closed').address, '--key', world.key]);
    expect(nowhere.code).toBe(1);
    expect(nowhere.events.find((event) => event['name'] === 'tcp-rendezvous')).toMatchObject({ status: 'fail', code: 'TCP_REFUSED' });
    const wrong = await doctor('open', ['--server', world.serverAddress, '--key', Buffer.alloc(32, 7).toString('base64')]);
    expect(wrong.events.find((event) => event['name'] === 'key')).toMatchObject({ status: 'fail', code: 'DOCTOR_KEY_WRONG' });
    expect(wrong.code).toBe(1);
  });

  test('the server wrote one JSON line for each decision, with masked ids', () => {
    const lines = world.server.stderr.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of lines) expect(line).toMatchObject({ level: expect.stringMatching(/^(info|warn)$/), time: expect.any(String), event: expect.any(String) });
    const registered = lines.filter((line) => line['event'] === 'registered');
    expect(registered.map((line) => line['via'])).toContain('tcp');
    for (const { id, ms } of registered) {
      expect(id).toContain('***');
      expect(ms).toBeTypeOf('number');
    }
    expect(lines.map((line) => line['event'])).toEqual(expect.arrayContaining(['listening', 'introduced-relay', 'relay-paired', 'relay-ended']));
  });

  test('every code that it can tell is in the list', () => {
    const list = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    for (const result of results.values())
      for (const event of result.events) if (typeof event['code'] === 'string') expect(list).toContain(`\`${event['code']}\``);
  });
});
