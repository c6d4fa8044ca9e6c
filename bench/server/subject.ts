/** The process under load: the server, or the plain thing of the same kind that it is compared with. */
import { createSocket } from 'node:dgram';
import { mkdtempSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { encodeRendezvous } from '../../src/core/wire/index.ts';
import { boundHeap } from '../../src/server/bound-heap.ts';
import { type ServerLimits, startServer } from '../../src/server/index.ts';
import { sqliteModule } from '../../src/server/sqlite-store.ts';
import { answerCalls } from './child.ts';

export interface ServerArgument {
  /** Folder for the data folder, removed by whoever made it; its disk is what a commit waits for. */
  readonly parent: string;
  readonly limits: Partial<ServerLimits>;
  /** The relay joins whoever names the same uuid: there is no rendezvous in the measurement. */
  readonly openRelay?: boolean;
}
export interface ServerReady {
  readonly port: number;
  readonly relayPort: number;
  readonly key: string;
}

let stats: () => Record<string, number> = () => ({});

function temporaryDir(parent: string): string {
  return mkdtempSync(join(parent, 'data-'));
}

async function server({ parent, limits, openRelay = false }: ServerArgument): Promise<ServerReady> {
  boundHeap();
  const running = await startServer({ dataDir: temporaryDir(parent), ports: { rendezvous: -1 }, limits, openRelay });
  stats = () => running.stats();
  return { port: running.ports.rendezvous, relayPort: running.ports.relay, key: running.publicKey };
}

/** A bare UDP socket that answers each datagram with a constant: what this runtime can do at most. */
function echo(): Promise<number> {
  const socket = createSocket('udp4');
  const answer = Buffer.from([0x3a, 0]);
  socket.on('message', (_bytes, { port, address }) => socket.send(answer, port, address));
  return new Promise((resolve) => {
    socket.bind(0, '127.0.0.1', () => {
      socket.setRecvBufferSize(4 << 20);
      resolve(socket.address().port);
    });
  });
}

/** One insert with its own commit for each datagram, as in the open server; same table, same durability. */
function insertEach(parent: string): Promise<number> {
  const module = sqliteModule();
  if (!module) throw new Error('this Node has no SQLite');
  const db = new module.DatabaseSync(join(temporaryDir(parent), 'each.sqlite3'));
  db.exec('pragma journal_mode = wal; pragma synchronous = full;');
  db.exec('create table peer (guid blob primary key not null, id varchar(100) not null, uuid blob, pk blob, info text) without rowid');
  db.exec('create unique index index_peer_id on peer (id)');
  const insert = db.prepare('insert into peer values (randomblob(16), ?, ?, ?, ?)');
  const socket = createSocket('udp4');
  const answer = encodeRendezvous({ registerPkResponse: { result: 0 } });
  socket.on('message', (bytes, { port, address }) => {
    insert.run(bytes.toString('latin1', 4, 13), bytes.subarray(15, 51), bytes.subarray(53), '{"ip":"127.0.0.1"}');
    socket.send(answer, port, address);
  });
  return new Promise((resolve) => {
    socket.bind(0, '127.0.0.1', () => {
      socket.setRecvBufferSize(4 << 20);
      resolve(socket.address().port);
    });
  });
}

/** Joins each connection with the next one, the way that a Node programmer would. */
function pipe(): Promise<number> {
  let waiting: Socket | null = null;
  const plain = createServer({ noDelay: true, allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    if (!waiting) {
      waiting = socket;
      return;
    }
    const other = waiting;
    waiting = null;
    socket.pipe(other);
    other.pipe(socket);
    socket.on('close', () => other.destroy());
    other.on('close', () => socket.destroy());
  });
  return new Promise((resolve) => {
    plain.listen(0, '127.0.0.1', 511, () => {
      const address = plain.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 0);
    });
  });
}

answerCalls({ server, echo, insertEach, pipe, stats: () => stats() });
