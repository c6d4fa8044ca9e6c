/** The single port behind a real nginx: as a web proxy, and as a TCP proxy with PROXY headers. Clients as stock ones speak. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { encodeRendezvous, hbb, unmangleAddress } from '../../src/core/wire/index.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/index.ts';
import { FIRST_CERTIFICATE, SECOND_CERTIFICATE, writeCertificate } from '../../src/server/one-port/test-certificates.ts';
import { ask, nextMessage, type TestClient, testClient, testWsClient } from '../../src/server/test-wire.ts';
import { freePorts } from '../../test/lib/ports.ts';
import { nginxUnavailable, startNginx } from '../lib/nginx.ts';

const unavailable = nginxUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, the server behind nginx: ${unavailable}`);

const ID = '123456789';
const UUID = new Uint8Array(Buffer.from('a machine'));
const PK = new Uint8Array(32).fill(7);
const SESSION = '0e8a4a2c-8a52-4b1c-8d2f-3d8b7b1f7a11';
const PEER = '127.0.0.52';
const CONTROLLER = '127.0.0.51';

describe.skipIf(unavailable !== null)('behind nginx', () => {
  let dir: string;
  let server: RunningServer;
  let nginx: { stop(): Promise<void> } | undefined;
  let closers: (() => void)[];
  /** What nginx listens on: plain, with TLS, and as a TCP proxy. */
  let web: number;
  let webTls: number;
  let stream: number;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'litedesk-nginx-'));
    closers = [];
  });
  afterEach(async () => {
    for (const close of closers) close();
    await nginx?.stop();
    nginx = undefined;
    await server.close();
    rmSync(dir, { recursive: true });
  });

  async function start(options: Partial<ServerOptions> = {}): Promise<void> {
    writeCertificate(dir, FIRST_CERTIFICATE, 'web');
    const single = await freePorts(4);
    [web, webTls, stream] = [single + 1, single + 2, single + 3];
    server = await startServer({
      dataDir: join(dir, 'data'),
      ports: { rendezvous: 0, single },
      bind: '127.0.0.1',
      tls: writeCertificate(dir, SECOND_CERTIFICATE, 'own'),
      trustedProxies: ['127.0.0.1'],
      ...options,
    });
    nginx = await startNginx({
      directory: join(dir, 'nginx'),
      port: webTls,
      // As docs/self-hosting.md has it.
      http: `
        map $http_upgrade $connection_upgrade { default upgrade; '' close; }
        server {
          listen 127.0.0.1:${web};
          listen 127.0.0.1:${webTls} ssl;
          ssl_certificate ${join(dir, 'web.crt')};
          ssl_certificate_key ${join(dir, 'web.key')};
          location / {
            proxy_pass http://127.0.0.1:${single};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_read_timeout 120s;
          }
        }`,
      stream: `
        server {
          listen 127.0.0.1:${stream};
          proxy_pass 127.0.0.1:${single};
          proxy_protocol on;
        }`,
    });
  }

  type Via = 'ws' | 'wss' | 'stream' | 'stream-tls';

  async function open(via: Via, from: string, path = '/ws/id'): Promise<TestClient> {
    if (via === 'ws' || via === 'wss') {
      const ws = new WebSocket(`${via}://127.0.0.1:${via === 'ws' ? web : webTls}${path}`, {
        rejectUnauthorized: false,
        localAddress: from,
      });
      closers.push(() => ws.terminate());
      return await testWsClient(ws);
    }
    const socket = connect({ host: '127.0.0.1', port: stream, localAddress: from, allowHalfOpen: true });
    closers.push(() => socket.destroy());
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    if (via === 'stream') return testClient(socket);
    const tls = connectTls({ socket, rejectUnauthorized: false });
    await new Promise<void>((resolve, reject) => tls.once('secureConnect', resolve).once('error', reject));
    return testClient(tls);
  }

  describe.each<{ via: Via; options: Partial<ServerOptions> }>([
    { via: 'ws', options: {} },
    { via: 'wss', options: {} },
    { via: 'stream', options: { proxyProtocol: true } },
    { via: 'stream-tls', options: { proxyProtocol: true } },
  ])('by $via', ({ via, options }) => {
    const viaWeb = via === 'ws' || via === 'wss';

    test('registers, introduces with the clients’ own addresses, and answers queries', async () => {
      await start(options);
      const peer = await open(via, PEER);
      const registered = await ask(peer, { registerPk: { id: ID, uuid: UUID, pk: PK } });
      expect(registered?.registerPkResponse?.result).toBe(hbb.RegisterPkResponse.Result.OK);
      const online = await ask(await open(via, CONTROLLER), { onlineRequest: { id: 'me', peers: ['nobody', ID] } });
      expect([...(online?.onlineResponse?.states ?? [])]).toEqual([0b01000000]);
      const tester = await open(via, CONTROLLER);
      const nat = await ask(tester, { testNatRequest: { serial: 3 } });
      expect(nat?.testNatResponse?.port).toBe(viaWeb ? 0 : tester.localPort);

      const controller = await open(via, CONTROLLER);
      controller.send(encodeRendezvous({ punchHoleRequest: { id: ID, licenceKey: server.publicKey } }));
      const pushed = (await nextMessage(peer))?.punchHole;
      expect(unmangleAddress(pushed?.socketAddr ?? new Uint8Array())).toEqual({ host: CONTROLLER, port: viaWeb ? 0 : controller.localPort });
      const answer = await open(via, PEER);
      answer.send(encodeRendezvous({ relayResponse: { socketAddr: pushed?.socketAddr ?? null, id: ID, uuid: SESSION, version: '1.4.6' } }));
      expect((await nextMessage(controller))?.relayResponse?.uuid).toBe(SESSION);

      const ends = await Promise.all([open(via, CONTROLLER, '/ws/relay'), open(via, PEER, '/ws/relay')]);
      ends[0].send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, id: ID, uuid: SESSION } }));
      ends[1].send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, uuid: SESSION } }));
      const bytes = Buffer.alloc(300_000, 'b');
      ends[1].send(bytes);
      expect(Buffer.compare((await ends[0].inbox.next()) ?? Buffer.alloc(0), bytes)).toBe(0);
      ends[0].send(Buffer.from('from a'));
      expect(Buffer.from((await ends[1].inbox.next()) ?? []).toString()).toBe('from a');
    });
  });

  test('a relayed pair of which one came through the web proxy and the other directly', async () => {
    await start({ openRelay: true });
    const viaProxy = await open('wss', CONTROLLER, '/ws/relay');
    const socket = connect({ host: '127.0.0.1', port: server.ports.single, localAddress: PEER });
    closers.push(() => socket.destroy());
    const direct = testClient(socket);
    viaProxy.send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, id: ID, uuid: SESSION } }));
    direct.send(encodeRendezvous({ requestRelay: { licenceKey: server.publicKey, uuid: SESSION } }));
    direct.send(Buffer.from('framed'));
    expect(Buffer.from((await viaProxy.inbox.next()) ?? []).toString()).toBe('framed');
    viaProxy.send(Buffer.from('a message'));
    expect(Buffer.from((await direct.inbox.next()) ?? []).toString()).toBe('a message');
  });

  test('health is seen through the web proxy', async () => {
    await start();
    const answer = await fetch(`http://127.0.0.1:${web}/healthz`);
    expect(answer.status).toBe(200);
  });
});
