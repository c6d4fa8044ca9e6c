/** Two ends of a session over simulated paths, and a record of what went in and what came out. For tests. */
import { VirtualClock } from '../clock.ts';
import type { LinkClose } from '../link.ts';
import type { SeededRandom } from '../testing/seeds.ts';
import { SimPath } from '../testing/sim-path.ts';
import type { SimPathShape } from '../testing/sim-path.ts';
import { CHANNEL } from './contract.ts';
import type { ChannelId, PathChange, PathKind } from './contract.ts';
import { MultipathLink } from './multipath.ts';

export const CHANNELS = Object.values(CHANNEL);

export class RigEnd {
  readonly link: MultipathLink;
  readonly sent = new Map<ChannelId, Uint8Array[]>();
  readonly received = new Map<ChannelId, Uint8Array[]>();
  /** Milliseconds of the virtual clock at which each frame of the session channel came. */
  readonly receivedAt: number[] = [];
  readonly changes: PathChange[] = [];
  close: LinkClose | null = null;

  constructor(link: MultipathLink, clock: VirtualClock) {
    this.link = link;
    link.onPathChange((change) => this.changes.push(change));
    for (const id of CHANNELS) {
      this.sent.set(id, []);
      this.received.set(id, []);
      let ended = false;
      link.channel(id).setHandlers({
        onFrame: (frame) => {
          if (ended) throw new Error('a frame after the end');
          this.of(this.received, id).push(frame);
          if (id === CHANNEL.session) this.receivedAt.push(clock.now());
        },
        onClose: (close) => {
          if (ended) throw new Error('closed twice');
          ended = true;
          if (id === CHANNEL.session) this.close = close;
        },
      });
    }
  }

  /** Sends and remembers what was accepted. */
  send(id: ChannelId, frame: Uint8Array): boolean {
    const channel = this.link.channel(id);
    if (channel.closed) return false;
    this.of(this.sent, id).push(frame);
    return channel.send(frame);
  }

  of(map: Map<ChannelId, Uint8Array[]>, id: ChannelId): Uint8Array[] {
    return map.get(id) as Uint8Array[];
  }
}

export class Rig {
  readonly clock = new VirtualClock();
  readonly paths: SimPath[] = [];
  readonly a: RigEnd;
  readonly b: RigEnd;

  constructor(random: SeededRandom, shape: SimPathShape, kind: PathKind = 'relay', darkMs?: number) {
    const path = new SimPath(this.clock, shape);
    this.paths.push(path);
    const make = (role: 'controller' | 'host', link: SimPath['a']): MultipathLink =>
      new MultipathLink({
        clock: this.clock,
        random: (count) => random.bytes(count),
        role,
        first: { link, kind },
        ...(darkMs === undefined ? {} : { darkMs }),
      });
    this.a = new RigEnd(make('controller', path.a), this.clock);
    this.b = new RigEnd(make('host', path.b), this.clock);
  }

  /** A further path, at both ends at once. */
  add(shape: SimPathShape, kind: PathKind): SimPath {
    const path = new SimPath(this.clock, shape);
    this.paths.push(path);
    this.a.link.addPath(path.a, kind);
    this.b.link.addPath(path.b, kind);
    return path;
  }

  /** What came out must be the beginning of what went in, frame for frame. Throws where it is not. */
  check(complete: boolean): void {
    this.#checkWay('a → b', this.a, this.b, complete);
    this.#checkWay('b → a', this.b, this.a, complete);
  }

  #checkWay(way: string, from: RigEnd, to: RigEnd, complete: boolean): void {
    for (const id of CHANNELS) {
      const sent = from.of(from.sent, id);
      const received = to.of(to.received, id);
      if (received.length > sent.length) throw new Error(`${way}, channel ${id}: ${received.length} frames of ${sent.length}`);
      for (let i = 0; i < received.length; i++)
        if (Buffer.compare(sent[i] as Uint8Array, received[i] as Uint8Array) !== 0)
          throw new Error(`${way}, channel ${id}: frame ${i} is another one`);
      if (complete && received.length < sent.length)
        throw new Error(`${way}, channel ${id}: ${received.length} of ${sent.length} frames came`);
    }
  }
}
