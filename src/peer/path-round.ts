/**
 * One round of the search for a direct path beside a session that already runs: candidates of both sides, UDP and TCP raced,
 * the first that works becomes a link. Both sides run the same round at the same time.
 */
import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import type { RandomBytes } from '../core/crypto/random.ts';
import { PAYLOAD_LIMITS } from '../core/link.ts';
import { type Candidate, familyOf, scopeOf } from '../core/nat/candidates.ts';
import { PATH_LIMITS } from '../core/nat/limits.ts';
import { type Network, UNKNOWN_NETWORK } from '../core/nat/network.ts';
import type { ChangingPorts, Offer } from '../core/nat/offer.ts';
import { reordered } from '../core/nat/outcomes.ts';
import { type PlannedWay, planWays, type Way, whyNotDirect } from '../core/nat/plan.ts';
import type { Family } from '../core/nat/observation.ts';
import type { PathRole } from '../core/nat/probe-packet.ts';
import type { SprayAllowance } from '../core/nat/spray.ts';
import type { PathKind } from '../core/native/contract.ts';
import type { HostPort } from '../core/wire/index.ts';
import { formatHostPort, type NetLink, TcpLink } from '../net/index.ts';
import { localAddresses } from '../net/local-addresses.ts';
import { NativePunch, type SeenNetwork } from '../net/punch-native.ts';
import { punchUdp } from '../net/punch-udp.ts';
import { PathAim } from './path-aim.ts';
import type { PathAttempt } from './path-record.ts';
import { PathTcp } from './path-tcp.ts';

/** An offer leaves without the server's view of us when that takes longer; it follows. */
const OFFER_AFTER_MS = 150;
/**
 * Nothing is sent to the other side before the server has seen our ports, or for so long: behind a NAT that counts each
 * datagram to a new place would use up a port that the other side has been told to expect.
 */
const START_AFTER_MS = 300;
/** UDP goes first: where it works nobody needs sockets for the rest. */
const TCP_AFTER_MS = 250;
/** So long the second view of our TCP port may keep the first one waiting; a SYN that was lost is sent again after a second. */
const TCP_PATIENCE_MS = 400;
/** Guessing ports starts when the plain way had the time to work. */
const BIRTHDAY_AFTER_MS = 250;
/** A side sends one offer and at most a few more that add to it. */
const MAX_EARLY_OFFERS = 8;
/** From the agreed pair of addresses to a link. */
const OPEN_TIMEOUT_MS = 4_000;
/** A connection that stands when the round's time is up may finish its key exchange. */
const FINISH_MS = 2_000;
/** Whoever answers is a stranger until the key exchange has shown who it is. */
const STRANGER = { maxPayload: PAYLOAD_LIMITS.handshake } as const;

const FAMILIES: readonly Family[] = [4, 6];

/** What opens ports at a gateway (net/portmap); null where there is none or it is not wanted. */
export interface PathPortMapper {
  map(family: Family, protocol: 'udp' | 'tcp', internalPort: number, signal: AbortSignal): Promise<HostPort>;
  unmap(family: Family, protocol: 'udp' | 'tcp', internalPort: number): void;
}

export interface PathRoundOptions {
  readonly round: number;
  readonly role: PathRole;
  readonly sessionSecret: Uint8Array;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly allowance: SprayAllowance;
  /** Server ports that answer NAT tests, the main one first. */
  readonly servers: (signal: AbortSignal) => Promise<readonly HostPort[]>;
  readonly mapper: PathPortMapper | null;
  readonly send: (offer: Offer) => void;
  /** Runs the key exchange and gives the link to the session. Rejects when the other end is not who it should be. */
  readonly join: (link: NetLink, kind: PathKind, signal: AbortSignal) => Promise<void>;
  readonly onAttempt: (attempt: PathAttempt) => void;
  /** What worked between these two before, and gets no pause now; null: nothing is known. */
  readonly best: Way | null;
  /** When the session's link stood, by the clock. */
  readonly epochMs: number;
}

export class PathRound {
  readonly #options: PathRoundOptions;
  readonly #abort = new AbortController();
  readonly #cancels: (() => void)[] = [];
  readonly #startedMs: number;
  #punch: NativePunch | null = null;
  #tcp: PathTcp | null = null;
  #aim: PathAim | null = null;
  /** Connections that are becoming paths. */
  #opening = 0;
  #timeIsUp = false;
  #candidates: Candidate[] = [];
  #seen: SeenNetwork | null = null;
  #theirs: Network | null = null;
  readonly #theirCandidates: Candidate[] = [];
  #ready = false;
  /** Came while the sockets were being opened and seen. */
  readonly #early: Offer[] = [];
  #waitingForTcp: Candidate[] = [];
  #offered = false;
  #birthday = false;
  readonly #unmaps: (() => void)[] = [];
  #predicted: ChangingPorts | null = null;
  #mapped = false;
  #done: (found: boolean) => void = () => {};
  /** True: a path was found and joined the session. */
  readonly result: Promise<boolean>;

  constructor(options: PathRoundOptions) {
    this.#options = options;
    this.#startedMs = options.clock.now();
    this.result = new Promise((resolve) => {
      this.#done = resolve;
    });
    this.#after(PATH_LIMITS.roundMs, () => {
      this.#timeIsUp = true;
      if (this.#opening === 0) this.#end(false);
      else this.#after(FINISH_MS, () => this.#end(false));
    });
    void this.#run();
  }

  get round(): number {
    return this.#options.round;
  }

  /** Something that the other side has to say about this round. */
  take(offer: Offer): void {
    if (this.#abort.signal.aborted) return;
    const punch = this.#punch;
    if (!punch || !this.#ready) {
      if (this.#early.length < MAX_EARLY_OFFERS) this.#early.push(offer);
      return;
    }
    this.#theirs = offer.network ?? this.#theirs;
    const room = PATH_LIMITS.maxCandidates - this.#theirCandidates.length;
    const fresh = offer.candidates.slice(0, Math.max(0, room));
    this.#theirCandidates.push(...fresh);
    // Each message tells of its own candidates alone.
    const mapped = this.#theirCandidates.some(({ origin }) => origin === 'mapped');
    if (mapped && this.#theirs) this.#theirs = { ...this.#theirs, mappedPort: 'yes' };
    // The ports that come next before anything that would use them up.
    if (offer.udpPorts) this.#aim?.theirs(offer.udpPorts);
    for (const candidate of fresh)
      if (candidate.protocol === 'udp') punch.addRemote(candidate.address);
      else this.#dial([candidate]);
    if (offer.tcpPorts) {
      this.#predicted = offer.tcpPorts;
      this.#tcp?.dialPredicted(offer.tcpPorts.last, offer.tcpPorts.step);
    }
    if (offer.wantsSpray && offer.udpPorts) this.#spray(offer.udpPorts.last.host);
    this.#plan();
  }

  close(): void {
    this.#end(false, 'cancelled');
  }

  async #run(): Promise<void> {
    const { role, sessionSecret, round, clock, random, allowance } = this.#options;
    const servers = await this.#options.servers(this.#abort.signal);
    if (this.#abort.signal.aborted) return;
    const punch = await NativePunch.open({ role, sessionSecret, round, clock, random, allowance, servers });
    if (this.#abort.signal.aborted) return punch.close();
    this.#punch = punch;
    this.#aim = new PathAim({
      role,
      predict: ({ last, step }) => punch.addPredicted(last, step),
      meet: (theirs) => void punch.meet(theirs).catch(() => {}),
      look: () => punch.lookAgain(this.#seen?.ports?.step ?? 0).catch(() => null),
      tell: (ports) => {
        if (this.#seen) this.#seen = { ...this.#seen, ports };
        this.#offer(true);
      },
      after: (delayMs, fn) => this.#after(delayMs, fn),
    });
    this.#candidates.push(...punch.localCandidates);
    this.#after(START_AFTER_MS, () => this.#start());
    this.#after(OFFER_AFTER_MS, () => this.#offer(true));
    const { best } = this.#options;
    this.#after(best?.startsWith('tcp') ? 0 : TCP_AFTER_MS, () => void this.#runTcp(servers));
    // The host begins when it hears of the round.
    if (role === 'controller') this.#offer();
    for (const family of FAMILIES) this.#map(family, 'udp', punch.localPort(family) ?? 0);
    void punch.observe().then((seen) => {
      this.#seen = seen;
      this.#candidates.push(...seen.candidates);
      this.#offer(true);
      this.#start();
      this.#aim?.ownSeen(seen.ports);
      this.#plan();
    });
    const punched = await punch.result;
    if (!punched) return;
    const { socket, remote } = punched;
    const predicted = this.#ways().some((planned) => planned.way === 'udp-prediction');
    const way = this.#birthday ? 'udp-birthday' : predicted ? 'udp-prediction' : 'udp';
    await this.#open(way, remote, this.#kindOf(remote, 'udp'), () =>
      punchUdp({
        socket,
        remote,
        role: role === 'controller' ? 'connector' : 'acceptor',
        timeoutMs: OPEN_TIMEOUT_MS,
        signal: this.#abort.signal,
        link: STRANGER,
      }),
    );
  }

  /** Takes what the other side has offered so far, and what it offers from now on. */
  #start(): void {
    this.#ready = true;
    for (const offer of this.#early.splice(0)) this.take(offer);
  }

  async #runTcp(servers: readonly HostPort[]): Promise<void> {
    const v4 = servers.filter(({ host }) => familyOf(host) === 4);
    const tcp = new PathTcp({
      servers: v4.length > 0 ? v4 : servers,
      signal: this.#abort.signal,
      patienceMs: TCP_PATIENCE_MS,
      onSocket: (socket, remote) => void this.#takeTcp(socket, remote),
    });
    const seen = await tcp.observe();
    if (this.#abort.signal.aborted) return;
    this.#tcp = tcp;
    this.#candidates.push(...seen.candidates);
    this.#offer(true);
    this.#dial(this.#waitingForTcp.splice(0));
    if (this.#predicted) tcp.dialPredicted(this.#predicted.last, this.#predicted.step);
    for (const family of FAMILIES) this.#map(family, 'tcp', tcp.localPort);
  }

  async #takeTcp(socket: Socket, remote: HostPort): Promise<void> {
    await this.#open('tcp', remote, this.#kindOf(remote, 'tcp'), () => Promise.resolve(new TcpLink(socket, STRANGER)));
  }

  /** From a connection to a path of the session. */
  async #open(way: Way, remote: HostPort, kind: PathKind, connect: () => Promise<NetLink>): Promise<void> {
    const { signal } = this.#abort;
    let link: NetLink | undefined;
    this.#opening += 1;
    try {
      link = await connect();
      if (signal.aborted) throw new Error('another path was first');
      await this.#options.join(link, kind, signal);
      this.#record(kind === 'lan' ? 'lan' : kind === 'ipv6' ? 'ipv6' : way, 'ok', '', remote);
      this.#end(true, 'cancelled');
    } catch (error) {
      link?.destroy();
      if (signal.aborted) return;
      this.#record(way, 'failed', error instanceof Error ? error.message : String(error), remote);
      if (way === 'tcp') this.#tcp?.again(remote);
    } finally {
      this.#opening -= 1;
      // Others may still be on their way until then.
      if (this.#timeIsUp && this.#opening === 0) this.#end(false);
    }
  }

  /** Tells what is known by now; `again` also when an offer has left before. */
  #offer(again = false, wantsSpray = false): void {
    if (this.#abort.signal.aborted || (this.#offered && !again)) return;
    this.#offered = true;
    // Each message adds to those before.
    const candidates = this.#candidates;
    const network = this.#seen ? this.#mine() : null;
    if (again && candidates.length === 0 && !network && !wantsSpray) return;
    this.#candidates = [];
    this.#options.send({ round: this.round, candidates, network, udpPorts: this.#seen?.ports ?? null, tcpPorts: this.#tcp?.seen.counting ?? null, wantsSpray });
  }

  #mine(): Network {
    // The server answers such questions over TCP: silence over UDP is the network's doing.
    const silent = this.#seen?.udp === 'unknown' && this.#tcp?.seen.candidates.some(({ origin }) => origin === 'observed');
    return {
      ...UNKNOWN_NETWORK,
      udp: silent ? 'blocked' : (this.#seen?.udp ?? 'unknown'),
      tcp: this.#tcp?.seen.tcp ?? 'unknown',
      ipv6: localAddresses().some((host) => familyOf(host) === 6 && scopeOf(host) === 'public') ? 'yes' : 'no',
      mappedPort: this.#mapped ? 'yes' : 'not-tested',
    };
  }

  #ways(): PlannedWay[] {
    const plan = planWays(this.#mine(), this.#theirs ?? UNKNOWN_NETWORK, { samePublicAddress: this.#samePublicAddress() });
    return reordered(plan, this.#options.best);
  }

  #samePublicAddress(): boolean {
    const ours = new Set((this.#seen?.candidates ?? []).map(({ address }) => address.host));
    return this.#theirCandidates.some(({ origin, address }) => origin === 'observed' && ours.has(address.host));
  }

  /** Starts what costs more than a few packets, where both networks are known and the table says so. */
  #plan(): void {
    const target = this.#theirCandidates.find(({ origin, protocol, address }) => origin === 'observed' && protocol === 'udp' && familyOf(address.host) === 4);
    if (this.#birthday || !this.#theirs || !target || this.#seen?.udp !== 'symmetric-random') return;
    if (!this.#ways().some(({ way }) => way === 'udp-birthday')) return;
    this.#birthday = true;
    this.#after(this.#options.best === 'udp-birthday' ? 0 : BIRTHDAY_AFTER_MS, () => {
      this.#offer(true, true);
      void this.#punch?.scatter(target.address);
    });
  }

  /** The other side asks for datagrams to many ports of an address: only where that is its own, as the server saw it. */
  #spray(host: string): void {
    const own = this.#theirCandidates.some(({ origin, address }) => origin === 'observed' && address.host === host);
    if (!own || this.#birthday || !this.#ways().some(({ way }) => way === 'udp-birthday')) return;
    this.#birthday = true;
    this.#punch?.spray(host);
  }

  #dial(remotes: readonly Candidate[]): void {
    if (!this.#tcp) return void this.#waitingForTcp.push(...remotes);
    for (const { origin, address } of remotes)
      // A forwarded port, or an address of the Internet on the computer itself, may be dialled from any port.
      this.#tcp.dial([address], origin === 'mapped' || (origin === 'local' && scopeOf(address.host) === 'public'));
  }

  /** Over IPv4 a port is forwarded where we have no public address; over IPv6 one lets others in where we have one. */
  #map(family: Family, protocol: 'udp' | 'tcp', port: number): void {
    const { mapper } = this.#options;
    const isPublic = localAddresses().some((host) => familyOf(host) === family && scopeOf(host) === 'public');
    if (!mapper || port === 0 || isPublic !== (family === 6)) return;
    this.#unmaps.push(() => mapper.unmap(family, protocol, port));
    mapper.map(family, protocol, port, this.#abort.signal).then(
      (address) => {
        this.#mapped = true;
        this.#candidates.push({ origin: 'mapped', protocol, address });
        this.#offer(true);
      },
      () => {
        // Most networks have no such gateway.
      },
    );
  }

  #kindOf({ host, port }: HostPort, protocol: 'udp' | 'tcp'): PathKind {
    const known = this.#theirCandidates.find((entry) => entry.protocol === protocol && entry.address.host === host && entry.address.port === port);
    if (known?.origin === 'mapped') return 'mapped';
    if (scopeOf(host) === 'private') return 'lan';
    return familyOf(host) === 6 ? 'ipv6' : protocol;
  }

  #record(way: Way, outcome: PathAttempt['outcome'], reason: string, remote?: HostPort): void {
    const { clock, epochMs, onAttempt } = this.#options;
    const planned = this.#ways().find((entry) => entry.way === way);
    onAttempt({
      way,
      startMs: Math.round(this.#startedMs - epochMs),
      endMs: Math.round(clock.now() - epochMs),
      outcome,
      reason: reason || (planned?.reason ?? ''),
      remoteAddress: remote ? formatHostPort(remote) : '',
    });
  }

  #end(found: boolean, outcome: PathAttempt['outcome'] = 'failed'): void {
    if (this.#abort.signal.aborted) return;
    if (!found) {
      const why = this.#whyNot();
      for (const { way } of this.#ways().filter(({ way }) => way.startsWith('udp') || way.startsWith('tcp')))
        this.#record(way, outcome, outcome === 'cancelled' ? 'another path was first' : why);
    }
    // With a path found the port stays open: it may be the one that the path uses. The session's end closes it.
    if (!found) for (const unmap of this.#unmaps) unmap();
    for (const cancel of this.#cancels) cancel();
    this.#abort.abort();
    this.#punch?.close();
    this.#done(found);
  }

  /** Why this round found nothing, by what is known and what was seen. */
  #whyNot(): string {
    if (!this.#theirs) return 'the other side did not take part';
    const mine = this.#mine();
    const samePublicAddress = this.#samePublicAddress();
    const why = whyNotDirect(mine, this.#theirs, { samePublicAddress });
    if (why !== null) return why;
    const within = `within ${PATH_LIMITS.roundMs / 1000} s`;
    if (samePublicAddress) return `both are behind one public address, and what was sent to it did not come back in ${within}`;
    if (mine.udp === 'blocked' || this.#theirs.udp === 'blocked')
      return `one network lets no datagrams through, and no TCP connection came about ${within}`;
    return `no pair of addresses worked ${within}`;
  }

  #after(delayMs: number, fn: () => void): void {
    this.#cancels.push(this.#options.clock.setTimer(delayMs, () => {
      if (!this.#abort.signal.aborted) fn();
    }));
  }
}
