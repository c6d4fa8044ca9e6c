/** Many peers on many UDP sockets that stay open: as with real peers, the system sees each at the same address all along. */
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeRendezvous } from '../../src/core/wire/index.ts';
import { BATCH, BatchSocket, pause } from './batch-socket.ts';
import { answerCalls } from './child.ts';

const SOCKETS = 64;
/** µs between two looks at all sockets when nothing came. */
const LOOK_US = 200;
/** Looks in vain after which what is missing counts as lost. */
const MAX_VAIN_LOOKS = 5_000;

export interface SpreadResult {
  readonly seconds: number;
  readonly answered: number;
  readonly refused: number;
  readonly lost: number;
}

interface Source {
  readonly socket: BatchSocket;
  readonly ids: readonly Buffer[];
  readonly registrations: readonly Buffer[];
  next: number;
  open: number;
}

let sources: Source[] = [];

function open({ port, peers }: { port: number; peers: number }): void {
  sources = Array.from({ length: SOCKETS }, (_, s) => {
    const ids = Array.from({ length: Math.floor(peers / SOCKETS) }, (_entry, i) => String(100_000_000 + s * 1_000_000 + i));
    return {
      socket: new BatchSocket(`127.8.0.${s + 1}`, port),
      ids: ids.map((id) => Buffer.from(encodeRendezvous({ registerPeer: { id, serial: 3 } }))),
      registrations: ids.map((id) => Buffer.from(encodeRendezvous({ registerPk: { id, uuid: Buffer.alloc(36, id), pk: Buffer.alloc(32, id) } }))),
      ...{ next: 0, open: 0 },
    };
  });
}

/** Sends what `of` gives, `window` in the air at each socket, until `more` says no; then waits for the rest. */
function pump(of: (source: Source) => readonly Buffer[], window: number, more: (source: Source) => boolean): SpreadResult {
  const startedAt = performance.now();
  const result = { answered: 0, refused: 0 };
  for (const source of sources) source.next = 0;
  let vain = 0;
  while (vain < MAX_VAIN_LOOKS) {
    let active = false;
    let came = 0;
    for (const source of sources) {
      const texts = of(source);
      const batch = more(source) ? Math.min(BATCH, window - source.open) : 0;
      if (batch > 0 && batch >= Math.min(BATCH, window) / 2) {
        for (let i = 0; i < batch; i++) {
          const text = texts[(source.next + i) % texts.length] as Buffer;
          text.copy(source.socket.slot(i, text.length));
        }
        const left = source.socket.send(batch);
        source.next += left;
        source.open += left;
      }
      const got = source.socket.receive((bytes) => {
        // OK and nothing else to say: `3a00` to a heartbeat, `820100` to a registration.
        if (bytes[bytes.length - 1] !== 0) result.refused++;
      });
      source.open -= got;
      came += got;
      active ||= source.open > 0 || more(source);
    }
    result.answered += came;
    if (!active) break;
    vain = came === 0 ? vain + 1 : 0;
    if (came === 0) pause(LOOK_US);
  }
  const lost = sources.reduce((sum, source) => sum + source.open, 0);
  for (const source of sources) source.open = 0;
  return { seconds: (performance.now() - startedAt) / 1000, ...result, lost };
}

async function register(): Promise<SpreadResult> {
  const done = pump((source) => source.registrations, 32, (source) => source.next < source.registrations.length);
  await sleep(100);
  return done;
}

function heartbeats({ seconds }: { seconds: number }): SpreadResult {
  const until = performance.now() + seconds * 1000;
  return pump((source) => source.ids, BATCH, () => performance.now() < until);
}

answerCalls({ open, register, heartbeats });
