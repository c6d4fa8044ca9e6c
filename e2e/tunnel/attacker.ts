/**
 * A peer that has signed in and then breaks the rules of virtual streams (docs/tunnels.md), with the bytes of its own making.
 * `node attacker.ts '{"server", "data", "id", "password", "attack", "host", "port"}'`; says as JSON lines what came of it.
 */
import { LiteDeskError } from '../../src/core/errors.ts';
import type { Link } from '../../src/core/link.ts';
import { decodeFrame, encodeFrame, type MuxFrame } from '../../src/core/mux/frame.ts';
import { streamsLink } from '../../src/core/session/index.ts';
import { Peer } from '../../src/peer/peer.ts';
import { parseServer } from '../../src/peer/server-address.ts';

interface Options {
  readonly server: string;
  readonly data: string;
  readonly id: string;
  readonly password: string;
  readonly attack: keyof typeof ATTACKS;
  readonly host: string;
  readonly port: number;
}

const CHUNK = new Uint8Array(16 * 1024);
const FLOOD_TURN = 200;
/** More than a stream may have and what the system holds for it. */
const STREAM_BYTES = 24 * 1024 * 1024;

interface Victim {
  readonly send: (frame: MuxFrame) => void;
  readonly sendRaw: (bytes: Uint8Array) => void;
  readonly target: Extract<MuxFrame, { type: 'open' }>['target'];
  /** Waits until what was sent has left. */
  readonly drained: () => Promise<void>;
  /** It has ended the streams or the link. */
  readonly over: () => boolean;
}

const ATTACKS = {
  'streams that never were': async (victim: Victim) => victim.send({ type: 'data', id: 77, bytes: CHUNK }),
  'streams of the other side': async (victim: Victim) => victim.send({ type: 'open', id: 2, target: victim.target }),
  'an id twice': async (victim: Victim) => {
    victim.send({ type: 'open', id: 1, target: victim.target });
    victim.send({ type: 'open', id: 1, target: victim.target });
  },
  'more than the credit of a stream': async (victim: Victim) => {
    victim.send({ type: 'open', id: 1, target: victim.target });
    for (let sent = 0; sent < STREAM_BYTES; sent += CHUNK.length) {
      victim.send({ type: 'data', id: 1, bytes: CHUNK });
      await victim.drained();
    }
  },
  'credit without end': async (victim: Victim) => {
    for (let n = 0; n < 3; n++) victim.send({ type: 'credit', id: 0, bytes: 0xffff_ffff });
  },
  'a flood of openings': async (victim: Victim) => {
    for (let n = 0; !victim.over(); n++) {
      victim.send({ type: 'open', id: 2 * n + 1, target: victim.target });
      if (n % FLOOD_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      await victim.drained();
    }
  },
  'a frame that is none': async (victim: Victim) => victim.sendRaw(new Uint8Array([42, 0, 0])),
} satisfies Record<string, (victim: Victim) => Promise<void>>;

const options = JSON.parse(process.argv[2] ?? '{}') as Options;
const say = (event: string, fields: object = {}): void => void process.stdout.write(`${JSON.stringify({ event, ...fields })}\n`);
const peer = await Peer.open({ dataDir: options.data, desktop: null, overrides: { server: parseServer(options.server), share: false }, log: () => {} });
try {
  const connection = await peer.connect(options.id, { signal: AbortSignal.timeout(20_000), kind: 'tunnel', video: false, password: options.password });
  const ready = new Promise<Link>((resolve) => connection.session.on('opened', () => resolve(streamsLink(connection.link) ?? connection.link)));
  connection.session.start();
  const link = await ready;
  const resets = new Map<string, number>();
  let ended = false;
  const over = new Promise<string>((resolve) => {
    const end = (how: string): void => {
      ended = true;
      resolve(how);
    };
    link.setHandlers({
      onFrame: (bytes) => {
        const frame = decodeFrame(bytes);
        if (frame?.type === 'reset') resets.set(frame.code, (resets.get(frame.code) ?? 0) + 1);
        if (frame?.type === 'goaway') end(`goaway ${frame.code}`);
      },
      onClose: () => end('closed'),
    });
  });
  say('attacking');
  link.send(encodeFrame({ type: 'hello', version: 1 }));
  const drained = async (): Promise<void> => {
    while (!ended && link.bufferedBytes > 1024 * 1024) await new Promise((resolve) => setTimeout(resolve, 1));
  };
  await Promise.race([
    ATTACKS[options.attack]({
      send: (frame) => link.send(encodeFrame(frame)),
      sendRaw: (bytes) => link.send(bytes),
      target: { kind: 'tcp', host: options.host, port: options.port },
      drained,
      over: () => ended,
    }),
    over,
  ]);
  const settled = new Promise<string>((resolve) => setTimeout(() => resolve('nothing'), 5_000));
  const end = await Promise.race([over, settled]);
  connection.session.close();
  say('ended', { end, resets: Object.fromEntries(resets) });
} catch (error) {
  say('error', { code: error instanceof LiteDeskError ? error.code : String(error) });
}
await peer.stop();
process.exit(0);
