/** Rendezvous server and relay in one process: startServer() opens every port and gives one handle to close it all. */
import { type Clock, systemClock } from '../core/clock.ts';
import { initCrypto } from '../core/crypto/index.ts';
import { LiteDeskError } from '../core/errors.ts';
import { formatInvitation } from '../shared/invitation.ts';
import { Admission } from './admission.ts';
import { BufferBudget } from './buffer-budget.ts';
import { Closers } from './closers.ts';
import type { LiveSettings } from './cluster/cluster.ts';
import { joinCluster, refuseOtherKeys } from './cluster/join.ts';
import type { RunningServer, ServerOptions } from './contract.ts';
import { Counters } from './counters.ts';
import { DialBack } from './dial-back.ts';
import { Enrolment } from './enrolment/enrolment.ts';
import { EnrolmentGate } from './enrolment/gate.ts';
import { decodeNews, encodeNews, type EnrolmentNews } from './enrolment/shared.ts';
import { EnrolmentFile } from './enrolment/state.ts';
import { Greetings } from './greetings.ts';
import { Introductions } from './introductions.ts';
import { KeyRing } from './key-ring.ts';
import { lanTest } from './lan.ts';
import { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
import { Lobby } from './lobby/lobby.ts';
import { Doors, type OnePortServices, type ServeFrames } from './one-port/doors.ts';
import { TlsFiles } from './one-port/tls-files.ts';
import { openAdmin } from './open-admin.ts';
import { openObserver, statusUrl } from './open-observer.ts';
import { openShared, takeOver } from './open-shared.ts';
import { firstAddress, invitationHost } from './own-address.ts';
import { PeerTable } from './peer-table.ts';
import { portsAround, randomRendezvousPort, type ServerPorts } from './ports.ts';
import { TrustedProxies } from './proxy-address.ts';
import { parsePublicAddress } from './public-address.ts';
import { PublishPolicy } from './publish/policy.ts';
import { Publishing, type PublishingOptions } from './publish/publishing.ts';
import { RelayChoice } from './relay-choice.ts';
import { RelayLinks } from './relay-links.ts';
import { RelayPolicy } from './relay-policy.ts';
import { Relay } from './relay.ts';
import { Rendezvous } from './rendezvous.ts';
import { RequestLog } from './request-log.ts';
import { serving } from './serving.ts';
import { openUdpPorts } from './udp-ports.ts';

export type { RunningServer, ServerLog, ServerOptions } from './contract.ts';
export { DEFAULT_LIMITS, type ServerLimits } from './limits.ts';
export type { ServerPorts, WantedPorts } from './ports.ts';

const DEFAULT_PORT = 21116;
/** New ids a day of one device key, where computers need an invitation or an approval. */
const INVITED_KEY_IDS_PER_DAY = 16;
/** ms between two rounds of upkeep. */
const SWEEP_MS = 5_000;
/** Tries to find five free ports in a row. */
const MAX_BLOCK_TRIES = 50;

/**
 * Starts the server; resolves once everything listens.
 * @throws LiteDeskError PORT_IN_USE, PORT_NOT_ALLOWED, ADDRESS_NOT_HERE, KEY_FILE_BROKEN, ENROLMENT_FILE_BROKEN,
 *   STORE_BROKEN, BAD_MASK
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  await initCrypto();
  const wanted = options.ports ?? {};
  const first = wanted.rendezvous ?? DEFAULT_PORT;
  if (options.relayOnly) return new Parts(options).start({ ...portsAround(first, wanted), rendezvous: 0, natTest: 0, ws: 0 });
  if (first !== -1) return new Parts(options).start(portsAround(first, wanted));
  for (let attempt = 1; ; attempt++) {
    try {
      return await new Parts(options).start(portsAround(randomRendezvousPort(), wanted));
    } catch (error) {
      if (attempt >= MAX_BLOCK_TRIES || !(error instanceof LiteDeskError) || error.code !== 'PORT_IN_USE') throw error;
    }
  }
}

/** Owns everything that must be closed again, also when the start fails half-way. */
class Parts {
  readonly #options: ServerOptions;
  readonly #limits: ServerLimits;
  readonly #clock: Clock;
  readonly #closers = new Closers();

  constructor(options: ServerOptions) {
    this.#options = options;
    // Where not everybody may enrol, those who may have no need of many ids.
    const keyIdsPerDay = (options.enrolment ?? 'open') === 'open' ? DEFAULT_LIMITS.keyIdsPerDay : INVITED_KEY_IDS_PER_DAY;
    this.#limits = { ...DEFAULT_LIMITS, keyIdsPerDay, ...options.limits };
    this.#clock = options.clock ?? systemClock;
  }

  async start(wanted: ServerPorts): Promise<RunningServer> {
    try {
      return await this.#start(wanted);
    } catch (error) {
      await this.#closers.closeAll();
      throw error;
    }
  }

  async #start(wanted: ServerPorts): Promise<RunningServer> {
    const { bind, log } = this.#options;
    const limits = this.#limits;
    const clock = this.#clock;
    const isLan = lanTest(this.#options.mask);
    const keys = new KeyRing({ dataDir: this.#options.dataDir, key: this.#options.key });
    const counters = new Counters();
    const admission = new Admission(limits, counters);
    const named = parsePublicAddress(this.#options.publicHost);
    const tls = await this.#tls();
    const httpHandlers = [...(this.#options.httpHandlers ?? [])];
    const { worker } = this.#options;
    // What cannot be shared out, or is wanted once.
    const isFirst = worker === undefined || worker.index === 0;
    const doorsOptions = {
      bind,
      sharing: worker?.sharing,
      limits,
      clock,
      counters,
      proxies: new TrustedProxies(this.#options.trustedProxies ?? []),
      proxyProtocol: this.#options.proxyProtocol ?? false,
      tls: () => tls,
    };
    const doors = new Doors({ ...doorsOptions, admission, httpHandlers });

    // TCP first: a second server on the same ports is noticed before anything is written.
    let onTcp: ServeFrames = (socket) => void socket.destroy();
    let onePort: OnePortServices | null = null;
    if (wanted.rendezvous > 0)
      await this.#closers.own(doors.frames('TCP', wanted.rendezvous, (...a) => onTcp(...a)));
    if (wanted.single > 0 && isFirst) await this.#closers.own(doors.everything(wanted.single, () => onePort));
    const shared = await openShared(this.#options, limits, clock, this.#closers);
    const { store } = shared;
    if (isFirst) await takeOver(this.#options, shared);
    const peers = new PeerTable(store, limits, clock, shared.directory !== null);
    const relays = new RelayChoice(this.#options.relays ?? [], clock);
    this.#closers.add(() => relays.close());
    const introductions = new Introductions(limits, clock);
    const links = new RelayLinks({
      ...{ relays: this.#options.relays ?? [], introductions, clock },
      secretKey: () => keys.current.secretKey,
    });
    relays.onConfigured = (named) => links.configure(named);
    this.#closers.add(() => links.close());
    const policy = new RelayPolicy({
      dataDir: this.#options.dataDir,
      limits,
      clock,
      onListFailed: (error) => log?.('warn', 'address-list-unreadable', { error: error.message }),
    });
    const relay = new Relay({
      limits,
      clock,
      counters,
      policy,
      accepts: (key) => keys.accepts(key),
      ticketKeys: () => keys.publicKeys(),
      introductions: this.#options.openRelay ? null : introductions,
    });
    this.#closers.add(() => relay.close());
    const live = { alwaysRelay: this.#options.alwaysRelay ?? false };
    const onSettings = (settings: LiveSettings): void => {
      if (settings.alwaysRelay !== undefined) live.alwaysRelay = settings.alwaysRelay;
      if (settings.relays) relays.configure(settings.relays);
    };
    const cluster =
      shared.directory &&
      joinCluster(shared.directory, shared.rows, {
        ...{ peers, counters, introductions, relay, relays, limits, clock, keys, onSettings },
        // Workers of one host name it as a single process does.
        relayPort: worker?.directory || !isFirst ? 0 : wanted.relay || wanted.single,
        relayAddress: this.#options.relayAddress,
        host: named.host || invitationHost(bind),
        onEnrolment: (text) => hear(decodeNews(text)),
      });
    const reloadKeys = (): void => {
      try {
        keys.reload();
      } catch (error) {
        log?.('warn', 'keys-not-reloaded', { error: error instanceof Error ? error.message : String(error) });
      }
    };
    const hear = (news: EnrolmentNews | null): void => {
      if (news?.news === 'keys') reloadKeys();
      else if (news) enrolment.hear(news);
    };
    const tell = (news: EnrolmentNews): void => cluster?.tellEnrolment(encodeNews(news));
    keys.onRotated(() => tell({ news: 'keys' }));
    const enrolment = new Enrolment({
      mode: this.#options.enrolment ?? 'open',
      store: new EnrolmentFile(this.#options.dataDir),
      limits,
      clock,
      serverKeys: () => keys.list().map(({ key }) => key),
      tell,
    });
    // Where everybody may come and nothing is counted there is nothing to judge.
    const gate = enrolment.mode === 'open' && limits.keyIdsPerDay === 0 ? null : new EnrolmentGate(enrolment);
    const publishing = this.#publishing(wanted, {
      doors: doorsOptions,
      host: named.host || invitationHost(bind),
      peers,
      secretKey: () => keys.current.secretKey,
      elsewhere: !isFirst,
    });
    await publishing?.start();
    if (publishing && this.#options.publish?.policy.open !== false && (this.#options.enrolment ?? 'open') === 'open')
      log?.('warn', 'publishing-is-open', {
        hint: 'Everybody may register here, and publish: see --enrolment and --publish-allow.',
      });
    const requests = new RequestLog(counters, limits.maxLoggedRequests);
    this.#closers.add(() => requests.close());
    const rendezvous = new Rendezvous({
      gate,
      cluster,
      introductions,
      peers,
      limits,
      clock,
      counters,
      keys,
      pickRelay: (latency) => relays.pick(latency),
      relayNames: () => relays.names,
      relayPort: wanted.relay,
      relayUdp: wanted.relay > 0 || wanted.single > 0,
      port: wanted.rendezvous,
      natTestPort: wanted.natTest,
      dialBack: new DialBack({ limits, clock, secondAddress: this.#options.secondAddress ?? null }),
      singlePort: wanted.single,
      publicHost: named.host,
      ...(named.port !== undefined && (named.entry || wanted.rendezvous === 0) ? { publicPort: named.port } : {}),
      get alwaysRelay() {
        return live.alwaysRelay;
      },
      isLan,
      localIp: this.#options.localIp ?? (this.#options.mask ? firstAddress() : ''),
      serial: this.#options.serial ?? 0,
      rendezvousServers: this.#options.rendezvousServers ?? [],
      softwareUrl: this.#options.softwareUrl,
      onPublishHello: publishing ? (client, hello) => publishing.onHello(client, hello) : undefined,
    });
    const serve = serving({
      ...{ rendezvous, relay, limits, clock, keys, introductions, peers },
      greetings: new Greetings(keys),
      budget: new BufferBudget(limits),
      openRelay: this.#options.openRelay === true,
    });
    onTcp = serve.rendezvous;
    onePort = serve.onePort;
    const reusePort = worker?.sharing === 'system';
    const udpPorts = await openUdpPorts({
      ...{ bind, wanted, limits, clock, rendezvous, relay, reusePort, log },
      receiveBuffer: this.#options.udpReceiveBuffer,
      secondAddress: this.#options.secondAddress,
      serves: isFirst || reusePort,
      relays: isFirst,
      onOpen: (udp) => this.#closers.add(() => udp.close()),
    });

    if (wanted.natTest > 0) await this.#closers.own(doors.frames('TCP', wanted.natTest, serve.natTest));
    if (wanted.ws > 0) await this.#closers.own(doors.webSocket('WebSocket', wanted.ws, limits.maxWsMessageBytes, serve.rendezvousWs));
    if (wanted.relay > 0 && isFirst) await this.#closers.own(doors.frames('TCP', wanted.relay, serve.relay));
    if (wanted.relayWs > 0 && isFirst)
      await this.#closers.own(doors.webSocket('WebSocket', wanted.relayWs, limits.maxRelayMessageBytes, serve.relayWs));
    if (cluster) {
      this.#closers.add(() => cluster.close());
      await cluster.start(rendezvous);
      refuseOtherKeys(cluster, keys);
      tell({ news: 'asks' });
    }
    this.#sweepRegularly(() => {
      rendezvous.sweep();
      enrolment.expire();
      publishing?.sweep();
    });
    const lobby = wanted.lobby === 0 || !isFirst ? null : new Lobby({ limits, clock, counters });
    if (lobby) {
      this.#closers.add(() => lobby.close());
      await this.#closers.own(doors.frames('TCP', wanted.lobby, (socket, arrival) => lobby.onTcp(socket, arrival.remote, arrival.settle)));
    }
    const observer = openObserver(this.#options, {
      ...{ keys, counters, peers, admission, rendezvous, relay, relays, store, wanted, lobby, cluster, publishing, limits, clock },
    });
    this.#closers.add(() => observer.close());
    httpHandlers.push(observer.publicHandler);
    const metricsPort = this.#options.http && isFirst ? await observer.listen(this.#options.http) : 0;
    const stats = (): Record<string, number> => ({
      ...counters.snapshot(),
      connections: admission.total,
      peersInMemory: peers.size,
      pendingRequests: rendezvous.pendingAsks,
      relayPairs: relay.pairs,
      relayWaiting: relay.waiting,
      relayHeld: relay.held,
      relayParked: relay.parked,
      relaysTold: links.connected,
      enrolmentWaiting: enrolment.waitingCount,
      ...(publishing ? { publishers: publishing.publishers, publishedServices: publishing.services, publishedConnections: publishing.connections } : {}),
    });
    const reload = async (): Promise<void> => {
      policy.reload();
      reloadKeys();
      await tls?.reload();
    };
    const change = (settings: LiveSettings): void => {
      onSettings(settings);
      cluster?.changed(settings);
    };
    const host = named.host || invitationHost(bind);
    // The classic ports stay what is handed out, as long as they are there: every client knows them.
    const entry =
      wanted.rendezvous > 0 && !named.entry
        ? { host, port: named.port ?? wanted.rendezvous }
        : { host, port: named.port ?? wanted.single, ...(named.entry ?? { single: true, tls: tls !== null }) };
    if (isFirst)
      await openAdmin(this.#options, this.#closers, {
        ...{ peers, store, requests, relay, policy, relays, enrolment, keys, limits, clock, change, reload, stats },
        isPart: shared.directory !== null,
        onRemoved: (id) => cluster?.removed(id),
        alwaysRelay: () => live.alwaysRelay,
        ready: () => observer.readiness.check(),
        entry: () => entry,
      });
    const udpHosts = udpPorts.flatMap((udp) => udp.localHosts);
    log?.('info', 'listening', { ...wanted, store: store.kind, peers: store.count(), udp: udpHosts });
    return {
      ports: { ...wanted, metrics: metricsPort },
      get publicKey() {
        return keys.publicKey;
      },
      get invitation() {
        return entry.port > 0 ? formatInvitation({ ...entry, key: keys.publicKey }) : '';
      },
      enrolment: enrolment.mode,
      rotateKey: (overlapMs) => keys.rotate(overlapMs),
      host,
      statusUrl: statusUrl(this.#options.http?.host ?? '', metricsPort),
      stats,
      ready: () => observer.readiness.check(),
      reload,
      close: () => this.#closers.closeAll(),
    };
  }

  /** Null: no ports for services are configured. */
  #publishing(wanted: ServerPorts, parts: Omit<PublishingOptions, 'settings' | 'httpPort' | 'httpsPort'>): Publishing | null {
    const settings = this.#options.publish ?? { domain: '', policy: new PublishPolicy([]) };
    if (!settings.ports && wanted.http === 0 && wanted.https === 0) return null;
    const publishing = new Publishing({ ...parts, settings, httpPort: wanted.http, httpsPort: wanted.https });
    this.#closers.add(() => publishing.close());
    return publishing;
  }

  async #tls(): Promise<TlsFiles | null> {
    const { tls, log } = this.#options;
    if (!tls) return null;
    const files = await TlsFiles.open({
      ...tls,
      clock: this.#clock,
      onReloaded: (validTo) => log?.('info', 'certificate-reloaded', { validTo }),
      onFailed: (error) => log?.('warn', 'certificate-not-reloaded', { error: error.message }),
    });
    this.#closers.add(() => files.close());
    return files;
  }

  #sweepRegularly(sweep: () => void): void {
    let cancel = (): void => {};
    const round = (): void => {
      cancel = this.#clock.setTimer(SWEEP_MS, round);
      sweep();
    };
    cancel = this.#clock.setTimer(SWEEP_MS, round);
    this.#closers.add(() => cancel());
  }
}
