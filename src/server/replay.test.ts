/** The recorded clients of test/vectors/rendezvous against our server: same messages, same fields, same silence. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeRendezvous, encodeFrame, encodeRendezvous, FrameDecoder, hbb } from '../core/wire/index.ts';
import { splitFields } from '../core/wire/rewrite.ts';
import { type RunningServer, type ServerOptions, startServer } from './index.ts';
import { type TestClient, tcpClient, udpClient, wsClient } from './test-wire.ts';

const DIR = join(import.meta.dirname, '../../test/vectors/rendezvous');
const KEYS = JSON.parse(readFileSync(join(DIR, 'keys.json'), 'utf8')) as { server: { id_ed25519: string } };

interface Step {
  from: 'client' | 'server';
  transport: 'udp' | 'tcp' | 'ws';
  port: number;
  conn: string;
  hex?: string;
  decoded?: Record<string, Record<string, unknown>>;
  event?: 'close';
  note?: string;
}
interface Recording {
  name: string;
  steps?: Step[];
  needs?: { id: string; uuid: string; pk: string; from?: string }[];
  hosts?: Record<string, string>;
  headers?: Record<string, string>;
  setup?: string;
}

/** What differs on purpose, by recording (docs/protocol-server.md says why). */
const MORE_FIELDS: Record<string, string[]> = {
  'punch-direct': ['udpPort', 'forceRelay', 'upnpPort', 'socketAddrV6'],
  'punch-same-lan': ['socketAddrV6'],
};
/** Their answers are longer than the questions, so they go only where somebody is known to be: here by a connection. */
const AFTER_A_CONNECTION = ['config-update', 'software-update'];
const REPLACED: Record<string, string> = {
  'tcp-register-pk': 'registration over TCP and WebSocket is supported (rendezvous.test.ts)',
  'restart-known-id': 'RegisterPk makes a known id reachable at once (rendezvous.test.ts)',
  'udp-ignored': 'TestNatRequest is answered; tried below',
};

const OPTIONS: Record<string, Partial<ServerOptions>> = {
  'always-use-relay': { relays: [], alwaysRelay: true },
  'config-update': { serial: 7, rendezvousServers: ['203.0.113.10', '203.0.113.11'] },
  'software-update': { softwareUrl: 'https://example.test/dl/app-1.2.3.exe' },
  'lan-mask': { mask: '127.1.0.0/24', localIp: '10.1.0.99', relays: ['203.0.113.10'] },
};

// Pairs whose rendezvous was elsewhere: only an open relay joins them (relay-introduced.test.ts).
for (const name of ['relay-pair-tcp', 'relay-pair-ws', 'relay-pair-ws-tcp']) OPTIONS[name] = { openRelay: true };

const recordings = readdirSync(DIR)
  .map((file) => JSON.parse(readFileSync(join(DIR, file), 'utf8')) as Recording)
  .filter((recording) => recording.steps);

/** Two hosts behind one gateway share its address, as they did when this was recorded. */
function addressOf(recording: Recording, conn: string): string {
  if (recording.name === 'lan-mask') {
    if (conn === 'A-A-outside-B-inside') return '127.0.0.101';
    if (conn.startsWith('A-')) return '127.1.0.51';
  }
  const host = recording.hosts?.[conn] ?? '';
  if (/^(a2?|gateway a.*)$/.test(host)) return '127.0.0.101';
  return /^(b|gateway b.*)$/.test(host) ? '127.0.0.102' : '127.0.0.51';
}

function plain(bytes: Uint8Array): unknown {
  const text = JSON.stringify(decodeRendezvous(bytes), (key, value: unknown) => {
    if (key === 'socketAddr' || key === 'localAddr') return 'ADDRESS';
    if (key === 'port') return 'PORT';
    if (typeof value === 'bigint') return String(value);
    return value;
  });
  return JSON.parse(text);
}

/** The numbers of the fields inside the one message of an envelope. */
function fieldNumbers(bytes: Uint8Array): number[] {
  const [union] = splitFields(bytes);
  return splitFields(union?.content ?? new Uint8Array(0))
    .map((field) => field.number)
    .toSorted((a, b) => a - b);
}

const bytesOf = (hex = ''): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
const camel = (name: string): string => name.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());

class Replay {
  readonly #recording: Recording;
  readonly #dir = mkdtempSync(join(tmpdir(), 'litedesk-replay-'));
  readonly #clients = new Map<string, TestClient>();
  readonly #registered = new Map<string, TestClient>();
  /** Recorded socket_addr (hex) to what our server sent instead. */
  readonly #addresses = new Map<string, Uint8Array>();
  #server: RunningServer | undefined;
  #askedId = '';
  #lastPush: hbb.RendezvousMessage | undefined;

  constructor(recording: Recording) {
    this.#recording = recording;
    writeFileSync(join(this.#dir, 'id_ed25519'), KEYS.server.id_ed25519);
  }

  async run(): Promise<void> {
    await this.#start({ rendezvous: -1 });
    for (const need of this.#recording.needs ?? []) await this.#register(need);
    if (this.#recording.setup?.startsWith('restart')) {
      const { ports } = this.#server as RunningServer;
      await this.#server?.close();
      await this.#start(ports);
    }
    if (AFTER_A_CONNECTION.includes(this.#recording.name)) {
      const connection = await tcpClient(this.#port(6), addressOf(this.#recording, 'B'));
      this.#clients.set('connection before', connection);
      connection.send(encodeRendezvous({ testNatRequest: {} }));
      await connection.inbox.next();
    }
    const steps = this.#recording.steps ?? [];
    for (const [i, step] of steps.entries()) {
      if (step.from === 'client') await this.#clientStep(step);
      else await this.#serverStep(step, steps[i - 1]);
    }
    for (const [name, client] of this.#clients) expect(client.inbox.size, `unexpected message to ${name}`).toBe(0);
  }

  async close(): Promise<void> {
    for (const client of [...this.#clients.values(), ...this.#registered.values()]) client.destroy();
    await this.#server?.close();
    rmSync(this.#dir, { recursive: true });
  }

  async #start(ports: NonNullable<ServerOptions['ports']>): Promise<void> {
    this.#server = await startServer({
      dataDir: this.#dir,
      ports,
      relays: ['203.0.113.10:21117'],
      ...OPTIONS[this.#recording.name],
    });
  }

  async #register(need: { id: string; uuid: string; pk: string; from?: string }): Promise<void> {
    const { ports } = this.#server as RunningServer;
    const conn = Object.entries(this.#recording.hosts ?? {}).find(([, host]) => host === 'b')?.[0] ?? '';
    const host = need.from === '10.1.0.50' ? '127.1.0.50' : need.id === 'lanpeer1' ? '127.0.0.101' : addressOf(this.#recording, conn);
    const client = await udpClient(ports.rendezvous, host);
    this.#registered.set(need.id, client);
    client.send(encodeRendezvous({ registerPk: { id: need.id, uuid: bytesOf(need.uuid), pk: bytesOf(need.pk) } }));
    await client.inbox.next();
    client.send(encodeRendezvous({ registerPeer: { id: need.id } }));
    await client.inbox.next();
  }

  #port(recorded: number): number {
    const { ports } = this.#server as RunningServer;
    const by: Record<number, number> = { 5: ports.natTest, 6: ports.rendezvous, 7: ports.relay, 8: ports.ws, 9: ports.relayWs };
    return by[recorded % 10] ?? 0;
  }

  async #client(step: Step): Promise<TestClient> {
    const key = `${step.transport} ${step.port} ${step.conn}`;
    const known = this.#clients.get(key);
    if (known && !known.inbox.closed) return known;
    const port = this.#port(step.port);
    const localAddress = addressOf(this.#recording, step.conn);
    let client: TestClient | undefined;
    if (step.transport === 'udp') {
      const id = Object.values(step.decoded ?? {})[0]?.id;
      client = this.#registered.get(step.from === 'client' ? String(id) : this.#askedId) ?? (await udpClient(port, localAddress));
    } else if (step.transport === 'tcp') {
      client = await tcpClient(port, localAddress, this.#recording.name === 'relay-pair-tcp');
    } else {
      const path = step.conn.startsWith('/') ? step.conn : '/';
      client = await wsClient(port, { localAddress, path, headers: this.#recording.headers ?? {} });
    }
    this.#clients.set(key, client);
    return client;
  }

  async #clientStep(step: Step): Promise<void> {
    const client = await this.#client(step);
    if (step.event === 'close') return client.end();
    const [name = '', fields] = Object.entries(step.decoded ?? {})[0] ?? [];
    if (/^(punch_hole|request_relay)/.test(name) && step.transport !== 'udp' && fields?.id) this.#askedId = String(fields.id);
    const named = (fields?.socket_addr as { hex: string } | undefined)?.hex;
    const ours = named === undefined ? undefined : this.#addresses.get(named);
    if (ours && /^(punch_hole_sent|local_addr|relay_response)$/.test(name)) {
      const payload = new FrameDecoder().push(bytesOf(step.hex))[0] ?? new Uint8Array();
      const message = decodeRendezvous(payload) as hbb.IRendezvousMessage & Record<string, { socketAddr: Uint8Array }>;
      (message[camel(name)] as { socketAddr: Uint8Array }).socketAddr = ours;
      return client.sendRaw(encodeFrame(encodeRendezvous(message)));
    }
    client.sendRaw(bytesOf(step.hex));
  }

  async #serverStep(step: Step, before: Step | undefined): Promise<void> {
    // The recording leaves out what the controlled side sent here: it answers with a relay, as the punch asked for.
    if (this.#recording.name === 'lan-mask' && step.decoded?.relay_response && before?.from === 'server') await this.#relayFromPeer();
    const client = await this.#client(step);
    const got = await client.inbox.next();
    if (step.event === 'close') return void expect(got).toBeNull();
    if (!got) throw new Error(`${step.conn}: closed instead of ${JSON.stringify(step.decoded)}`);
    const recorded = bytesOf(step.hex);
    if (step.port % 10 === 7 || step.port % 10 === 9) {
      const payload = this.#recording.name === 'relay-pair-ws-tcp' && step.transport === 'tcp' ? encodeFrame(got) : got;
      return void expect(Buffer.from(payload).toString('hex')).toBe(step.hex);
    }
    const payload = step.transport === 'tcp' ? (new FrameDecoder().push(recorded)[0] ?? recorded) : recorded;
    this.#lastPush = decodeRendezvous(got);
    for (const [name, fields] of Object.entries(step.decoded ?? {})) {
      const hex = (fields.socket_addr as { hex: string } | undefined)?.hex;
      const member = (this.#lastPush as unknown as Record<string, { socketAddr?: Uint8Array }>)[camel(name)];
      if (hex !== undefined && member?.socketAddr) this.#addresses.set(hex, member.socketAddr);
    }
    // Decoding drops what the schema does not know, so a field 100 that got lost on the way must be looked for in the bytes.
    if (this.#lastPush.union === 'requestRelay') expect(fieldNumbers(got)).toEqual(fieldNumbers(payload));
    const ours = plain(got) as Record<string, Record<string, unknown>>;
    for (const field of MORE_FIELDS[this.#recording.name] ?? [])
      for (const member of Object.values(ours)) if (typeof member === 'object') delete member[field];
    expect(ours).toEqual(plain(payload));
  }

  async #relayFromPeer(): Promise<void> {
    const push = this.#lastPush?.punchHole;
    const peer = await tcpClient(this.#port(6), this.#askedId === 'masklan1' ? '127.1.0.50' : '127.0.0.51');
    this.#clients.set(`peer of ${this.#askedId}`, peer);
    const { socketAddr, relayServer } = push ?? {};
    peer.send(encodeRendezvous({ relayResponse: { socketAddr, relayServer, uuid: 'u1', id: this.#askedId, version: '1.4.9' } }));
  }
}

describe('recorded exchanges', () => {
  let replay: Replay | undefined;
  afterEach(() => replay?.close());

  it('knows every exception by name', () => {
    const names = recordings.map((recording) => recording.name);
    for (const name of [...Object.keys(MORE_FIELDS), ...Object.keys(REPLACED), ...Object.keys(OPTIONS)]) expect(names).toContain(name);
    expect(names.length).toBeGreaterThan(30);
  });

  for (const recording of recordings)
    if (!(recording.name in REPLACED))
      it(`replays ${recording.name}`, { timeout: 15_000 }, async () => {
        replay = new Replay(recording);
        await replay.run();
      });

  it('replays udp-ignored but for the NAT test', async () => {
    const found = recordings.find((recording) => recording.name === 'udp-ignored');
    replay = new Replay({
      ...(found as Recording),
      steps: [
        ...(found?.steps ?? []).filter((step) => !step.decoded?.test_nat_request),
        // Comes back only if nothing else did: datagrams of one socket stay in order here.
        { from: 'client', transport: 'udp', port: 21116, conn: 'B', hex: '320b0a09313233343536373839' },
        { from: 'server', transport: 'udp', port: 21116, conn: 'B', hex: '3a00' },
      ],
    });
    await replay.run();
  });
});
