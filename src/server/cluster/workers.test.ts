/** Several processes on the same ports, started as `litedesk server --workers` starts them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../../test/lib/ports.ts';
import { encodeRendezvous, hbb, unmangleAddress } from '../../core/wire/index.ts';
import { ask, nextMessage, type TestClient, tcpClient, udpClient } from '../test-wire.ts';
import { portSharing } from './worker.ts';

const Result = hbb.RegisterPkResponse.Result;
const MAIN = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');

describe('how ports are shared', () => {
  it('depends on the Node', () => {
    expect(['20.18.0', '22.11.0', '23.0.0'].map(portSharing)).toEqual(['primary', 'primary', 'primary']);
    expect(['22.12.0', '23.1.0', '24.0.0'].map(portSharing)).toEqual(['system', 'system', 'system']);
  });
});

describe.skipIf(portSharing() !== 'system')('a server of two processes', () => {
  let dir: string;
  let primary: ChildProcess;
  let port: number;
  let key: string;
  let clients: TestClient[];
  const warnings: string[] = [];

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'litedesk-workers-'));
    clients = [];
    // The classic block begins one below it.
    port = (await freePorts(5)) + 1;
    const args = ['server', '--data', dir, '--bind', '127.0.0.1', '--port', String(port), '--workers', '2', '--json'];
    primary = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: primary.stderr as NodeJS.ReadableStream }).on('line', (line) => warnings.push(line));
    const ready = await new Promise<{ event: string; key: string }>((resolve, reject) => {
      createInterface({ input: primary.stdout as NodeJS.ReadableStream }).on('line', (line) => resolve(JSON.parse(line)));
      primary.once('exit', () => reject(new Error(warnings.join('\n'))));
    });
    expect(ready.event).toBe('ready');
    key = ready.key;
  });
  afterEach(async () => {
    for (const client of clients) client.destroy();
    const ended = new Promise<number | null>((resolve) => primary.once('exit', (code) => resolve(code)));
    primary.kill('SIGTERM');
    expect(await ended).toBe(0);
    rmSync(dir, { recursive: true });
  });

  const udp = async (host: string): Promise<TestClient> => {
    const client = await udpClient(port, host);
    clients.push(client);
    return client;
  };
  const tcp = async (host: string, at = port): Promise<TestClient> => {
    const client = await tcpClient(at, host);
    clients.push(client);
    return client;
  };

  it('is one server: whichever process holds a peer, gets the request and gets the answer', async () => {
    const ids = Array.from({ length: 8 }, (_, i) => `12345678${i}`);
    const registered = await Promise.all(
      ids.map(async (id, i) => {
        const b = await udp(`127.0.1.${i + 1}`);
        const reply = await ask(b, { registerPk: { id, uuid: new Uint8Array([i]), pk: new Uint8Array(32) } });
        expect(reply?.registerPkResponse?.result).toBe(Result.OK);
        return b;
      }),
    );
    for (const [i, b] of registered.entries()) {
      const a = await tcp('127.0.2.1');
      a.send(encodeRendezvous({ punchHoleRequest: { id: ids[i] ?? '', licenceKey: key, natType: hbb.NatType.ASYMMETRIC } }));
      const hole = (await nextMessage(b))?.punchHole;
      const answer = await tcp(`127.0.1.${i + 1}`);
      answer.send(encodeRendezvous({ punchHoleSent: { id: ids[i] ?? '', socketAddr: hole?.socketAddr ?? null, version: '1.4' } }));
      const response = (await nextMessage(a))?.punchHoleResponse;
      expect(unmangleAddress(response?.socketAddr ?? new Uint8Array()).port).toBe(answer.localPort);
      expect(response?.pk?.length).toBeGreaterThan(64);
    }
    const states = (await ask(await tcp('127.0.2.1', port - 1), { onlineRequest: { id: 'me', peers: ids } }))?.onlineResponse?.states;
    expect(states).toEqual(new Uint8Array([0xff]));
  });

  it('relays whatever any of its processes introduced', async () => {
    const b = await udp('127.0.1.1');
    await ask(b, { registerPk: { id: '123456789', uuid: new Uint8Array([1]), pk: new Uint8Array(32) } });
    for (let n = 0; n < 4; n++) {
      const uuid = `uuid-${n}`;
      const a = await tcp('127.0.2.1');
      a.send(encodeRendezvous({ requestRelay: { id: '123456789', uuid, licenceKey: key } }));
      const socketAddr = (await nextMessage(b))?.requestRelay?.socketAddr ?? null;
      (await tcp('127.0.1.1')).send(encodeRendezvous({ relayResponse: { socketAddr } }));
      expect((await nextMessage(a))?.union).toBe('relayResponse');
      const ends = [await tcp('127.0.2.1', port + 1), await tcp('127.0.1.1', port + 1)] as const;
      for (const end of ends) end.send(encodeRendezvous({ requestRelay: { uuid, licenceKey: key } }));
      ends[0].send(Buffer.from('through'));
      expect(Buffer.from((await ends[1].inbox.next()) ?? []).toString()).toBe('through');
    }
  });
});
