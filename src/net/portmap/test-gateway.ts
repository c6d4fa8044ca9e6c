/**
 * A gateway in memory, for tests: speaks PCP, NAT-PMP and UPnP as far as the mapper does, counts time by the test's clock, and
 * can be told to forget, to refuse and to lie.
 */
import type { VirtualClock } from '../../core/clock.ts';
import { seededRandom } from '../../core/testing/seeds.ts';
import type { HostPort } from '../../core/wire/address.ts';
import { PCP_PORT, PCP_RESULTS, type PcpResult } from './pcp.ts';
import { PortMapper, type PortMapperOptions } from './port-mapper.ts';
import type { Gateway, HttpAnswer, HttpRequest, MappedProtocol, MapperNetwork, MappingVia, UdpDoor } from './types.ts';
import { findAll, readXml, type XmlElement } from './xml.ts';

export interface OpenEntry {
  readonly protocol: MappedProtocol;
  readonly externalPort: number;
  readonly client: string;
  readonly internalPort: number;
  readonly untilMs: number;
  readonly by: MappingVia;
}

/** Of miniupnpd, for a number that it does not know. */
const INVALID_ARGS = 402;

type Deliver = (bytes: Uint8Array, from: HostPort) => void;

const HTTP_PORT = 5000;
const PROTOCOL_NUMBERS = { 6: 'tcp', 17: 'udp' } as const;

export class TestGateway implements MapperNetwork {
  readonly #clock: VirtualClock;
  address = '192.168.1.1';
  localAddress = '192.168.1.10';
  present = true;
  speaks = new Set<MappingVia>();
  externalAddress = '198.51.101.7';
  maxLifetimeS = 86_400;
  /** What PCP and NAT-PMP say to a mapping; 0 is yes. */
  result = 0;
  igd: 1 | 2 = 2;
  /** UPnP errors for the next actions of a name, in order. */
  readonly upnpErrors = new Map<string, number[]>();
  /** Takes no leases (725). */
  permanentOnly = false;
  /** Says yes to UPnP mappings and makes none. */
  lies = false;
  /** What came, as `pcp map udp 4000 3600` and the like, with the time in ms in front. */
  readonly asked: { readonly atMs: number; readonly what: string }[] = [];
  readonly open = new Map<string, OpenEntry>();
  /** Changes what is delivered, or adds to it; default: the answer, from the gateway. */
  tamper: (answer: Uint8Array, deliver: Deliver, from: HostPort) => void = (answer, deliver, from) => deliver(answer, from);
  /** Answers instead of the web server. */
  web: ((request: HttpRequest, signal: AbortSignal) => Promise<HttpAnswer>) | null = null;
  location = `http://192.168.1.1:${HTTP_PORT}/root.xml`;
  readonly #listeners = new Set<Deliver>();
  #bootMs = 0;
  doors = 0;

  constructor(clock: VirtualClock, ...speaks: MappingVia[]) {
    this.#clock = clock;
    this.speaks = new Set(speaks);
    this.#bootMs = clock.now() - 1_000_000;
  }

  /** Forgets everything and counts from 0 again. */
  reboot(): void {
    this.open.clear();
    this.#bootMs = this.#clock.now();
  }

  /** Says to all that it started; `from` forges the sender. */
  announce(from = this.address): void {
    const bytes = this.#pcpHeader(0, 0, 24);
    for (const listener of this.#listeners) listener(bytes, { host: from, port: PCP_PORT });
  }

  /** What was asked, without the times, and only what contains `part`. */
  askedFor(part: string): string[] {
    return this.asked.filter(({ what }) => what.includes(part)).map(({ what }) => what);
  }

  async gateway(): Promise<Gateway | null> {
    return this.present ? { address: this.address, localAddress: this.localAddress } : null;
  }

  async openUdp(_localAddress: string, group?: HostPort): Promise<UdpDoor> {
    let listener: Deliver = () => {};
    let isOpen = true;
    this.doors += 1;
    const deliver: Deliver = (bytes, from) => {
      if (isOpen) listener(bytes, from);
    };
    if (group) this.#listeners.add(deliver);
    return {
      send: (bytes, to) => queueMicrotask(() => this.#onDatagram(bytes, to, deliver)),
      onDatagram: (next) => {
        listener = next;
      },
      close: () => {
        if (isOpen) this.doors -= 1;
        isOpen = false;
        this.#listeners.delete(deliver);
      },
    };
  }

  async request(request: HttpRequest, _localAddress: string, signal: AbortSignal): Promise<HttpAnswer> {
    if (this.web) return this.web(request, signal);
    if (!this.present || request.url.hostname !== (this.#isV6 ? `[${this.address}]` : this.address) || request.url.port !== String(HTTP_PORT)) throw new Error('refused');
    if (request.method === 'GET') return { status: 200, body: this.#description() };
    return this.#isV6 ? this.#pinhole(request) : this.#soap(request);
  }

  #onDatagram(bytes: Uint8Array, to: HostPort, deliver: Deliver): void {
    if (!this.present) return;
    const answerWith = (answer: Uint8Array): void => this.tamper(answer, deliver, { host: this.address, port: to.port });
    if (to.port === 1900) {
      const type = /^ST: (.*)$/m.exec(Buffer.from(bytes).toString())?.[1] ?? '';
      if (to.host === this.address) this.#note(`upnp search ${type.slice(-1)}`);
      if (this.speaks.has('upnp') && Number(type.slice(-1)) <= this.igd)
        answerWith(Buffer.from(`HTTP/1.1 200 OK\r\nST: ${type}\r\nLOCATION: ${this.location}\r\n\r\n`));
    } else if (to.host === this.address && to.port === PCP_PORT) {
      const answer = bytes[0] === 2 ? this.#pcp(bytes) : this.#natPmp(bytes);
      if (answer) answerWith(answer);
    }
  }

  #note(what: string): void {
    this.asked.push({ atMs: this.#clock.now(), what });
  }

  get #epochS(): number {
    return Math.floor((this.#clock.now() - this.#bootMs) / 1000);
  }

  #pcpHeader(opcode: number, lifetimeS: number, size: number, result: PcpResult = 'SUCCESS'): Uint8Array {
    const answer = new Uint8Array(size);
    const view = new DataView(answer.buffer);
    answer.set([2, 0x80 | opcode, 0, PCP_RESULTS.indexOf(result as never)]);
    view.setUint32(4, lifetimeS);
    view.setUint32(8, this.#epochS);
    return answer;
  }

  #pcp(bytes: Uint8Array): Uint8Array | null {
    if (!this.speaks.has('pcp')) {
      this.#note('pcp');
      return this.speaks.has('nat-pmp') ? Uint8Array.of(0, 0x80, 0, 1, 0, 0, 0, 9) : null;
    }
    if (bytes[1] === 0) {
      this.#note('pcp announce');
      return this.#pcpHeader(0, 0, 24);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const protocol = PROTOCOL_NUMBERS[view.getUint8(36) as 6 | 17];
    const port = view.getUint16(40);
    const granted = this.#grant('pcp', protocol, port, view.getUint16(42), view.getUint32(4));
    const answer = this.#pcpHeader(1, this.result === 0 ? granted.lifetimeS : 60, 60, PCP_RESULTS[this.result]);
    answer.set(bytes.subarray(24, 44), 24);
    const out = new DataView(answer.buffer);
    out.setUint16(42, granted.externalPort);
    if (this.#isV6) answer.set(bytes.subarray(8, 24), 44);
    else answer.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...this.externalAddress.split('.').map(Number)], 44);
    return answer;
  }

  #natPmp(bytes: Uint8Array): Uint8Array | null {
    if (!this.speaks.has('nat-pmp')) {
      this.#note('nat-pmp');
      return this.speaks.has('pcp') ? this.#pcpHeader(0, 0, 24, 'UNSUPP_VERSION') : null;
    }
    const answer = new Uint8Array(bytes[1] === 0 ? 12 : 16);
    const out = new DataView(answer.buffer);
    answer.set([0, 0x80 | (bytes[1] ?? 0), 0, bytes[1] === 0 ? 0 : this.result]);
    out.setUint32(4, this.#epochS);
    if (bytes[1] === 0) {
      this.#note('nat-pmp address');
      answer.set(this.externalAddress.split('.').map(Number), 8);
      return answer;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const port = view.getUint16(4);
    const granted = this.#grant('nat-pmp', bytes[1] === 1 ? 'udp' : 'tcp', port, view.getUint16(6), view.getUint32(8));
    out.setUint16(8, port);
    out.setUint16(10, granted.externalPort);
    out.setUint32(12, granted.lifetimeS);
    return answer;
  }

  #grant(by: MappingVia, protocol: MappedProtocol, internalPort: number, wanted: number, askedS: number): { externalPort: number; lifetimeS: number } {
    this.#note(`${by} ${askedS === 0 ? 'unmap' : 'map'} ${protocol} ${internalPort}`);
    if (this.result !== 0) return { externalPort: 0, lifetimeS: 0 };
    const own = [...this.open].find(([, entry]) => entry.protocol === protocol && entry.internalPort === internalPort && entry.client === this.localAddress);
    if (askedS === 0) {
      if (own) this.open.delete(own[0]);
      return { externalPort: 0, lifetimeS: 0 };
    }
    let externalPort = own?.[1].externalPort ?? wanted;
    while (!own && this.open.has(`${protocol} ${externalPort}`)) externalPort += 1;
    const lifetimeS = Math.min(askedS, this.maxLifetimeS);
    this.#put({ protocol, externalPort, client: this.localAddress, internalPort, untilMs: this.#clock.now() + lifetimeS * 1000, by });
    return { externalPort, lifetimeS };
  }

  #put(entry: OpenEntry): void {
    this.open.set(`${entry.protocol} ${entry.externalPort}`, entry);
  }

  get #isV6(): boolean {
    return this.address.includes(':');
  }

  #description(): string {
    const service = this.#isV6 ? 'WANIPv6FirewallControl:1' : `WANIPConnection:${this.igd}`;
    return `<root><device><deviceList><device><serviceList><service><serviceType>urn:schemas-upnp-org:service:${service}</serviceType>
<controlURL>/ctl</controlURL></service></serviceList></device></deviceList></device></root>`;
  }

  /** Its firewall; a pinhole has its port as number. */
  #pinhole(request: HttpRequest): HttpAnswer {
    const { action, value, yes, fault } = readRequest(request);
    const number = value('UniqueID');
    this.#note(`upnp ${action} ${value('InternalPort') || number} ${value('LeaseTime') || value('NewLeaseTime')}`.trim());
    const planned = this.upnpErrors.get(action)?.shift();
    if (planned) return fault(planned);
    if (action === 'GetFirewallStatus') return yes('<FirewallEnabled>1</FirewallEnabled><InboundPinholeAllowed>1</InboundPinholeAllowed>');
    const until = (name: string): number => this.#clock.now() + Number(value(name)) * 1000;
    if (action === 'AddPinhole') {
      const port = Number(value('InternalPort'));
      const protocol = PROTOCOL_NUMBERS[Number(value('Protocol')) as 6 | 17];
      this.#put({ protocol, externalPort: port, client: value('InternalClient'), internalPort: port, untilMs: until('LeaseTime'), by: 'upnp' });
      return yes(`<UniqueID>${port}</UniqueID>`);
    }
    const [key, entry] = [...this.open].find(([, { internalPort }]) => String(internalPort) === number) ?? [];
    if (key === undefined || !entry) return fault(INVALID_ARGS);
    if (action === 'DeletePinhole') this.open.delete(key);
    if (action === 'UpdatePinhole') this.open.set(key, { ...entry, untilMs: until('NewLeaseTime') });
    return yes();
  }

  #soap(request: HttpRequest): HttpAnswer {
    const { action, value, yes, fault } = readRequest(request);
    const protocol = value('NewProtocol').toLowerCase() as MappedProtocol;
    const port = Number(value('NewExternalPort'));
    this.#note(`upnp ${action} ${value('NewProtocol')} ${value('NewExternalPort')} ${value('NewLeaseDuration')}`.trim());
    const planned = this.upnpErrors.get(action)?.shift();
    if (planned) return fault(planned);
    const key = `${protocol} ${port}`;
    if (action === 'GetExternalIPAddress') return yes(`<NewExternalIPAddress>${this.externalAddress}</NewExternalIPAddress>`);
    const entry = this.open.get(key);
    if (action === 'GetSpecificPortMappingEntry') {
      if (!entry) return fault(714);
      const leaseS = entry.untilMs === Number.POSITIVE_INFINITY ? 0 : Math.ceil((entry.untilMs - this.#clock.now()) / 1000);
      return yes(
        `<NewInternalPort>${entry.internalPort}</NewInternalPort><NewInternalClient>${entry.client}</NewInternalClient><NewLeaseDuration>${leaseS}</NewLeaseDuration>`,
      );
    }
    if (action === 'DeletePortMapping') return this.open.delete(key) ? yes() : fault(714);
    const leaseS = Number(value('NewLeaseDuration'));
    if (this.permanentOnly && leaseS > 0) return fault(725);
    if (this.igd === 1 && action === 'AddAnyPortMapping') return fault(401);
    let externalPort = port;
    if (action === 'AddAnyPortMapping') while (this.open.has(`${protocol} ${externalPort}`)) externalPort += 1;
    // As many old ones do, AddPortMapping takes a port away from whoever has it.
    const untilMs = leaseS === 0 ? Number.POSITIVE_INFINITY : this.#clock.now() + leaseS * 1000;
    if (!this.lies) this.#put({ protocol, externalPort, client: value('NewInternalClient'), internalPort: Number(value('NewInternalPort')), untilMs, by: 'upnp' });
    return yes(action === 'AddAnyPortMapping' ? `<NewReservedPort>${externalPort}</NewReservedPort>` : '');
  }
}

function readRequest({ headers, body }: HttpRequest): {
  action: string;
  value: (name: string) => string;
  yes: (values?: string) => HttpAnswer;
  fault: (code: number) => HttpAnswer;
} {
  const action = headers['SOAPAction']?.split('#')[1]?.replace('"', '') ?? '';
  const envelope = (content: string): string => `<s:Envelope xmlns:s="s"><s:Body>${content}</s:Body></s:Envelope>`;
  const args = findAll(readXml(body), action)[0] as XmlElement;
  return {
    action,
    value: (name) => args.children.find((child) => child.name === name)?.text ?? '',
    yes: (values = '') => ({ status: 200, body: envelope(`<u:${action}Response xmlns:u="u">${values}</u:${action}Response>`) }),
    fault: (code) => ({
      status: 500,
      body: envelope(`<s:Fault><detail><UPnPError><errorCode>${code}</errorCode><errorDescription>E${code}</errorDescription></UPnPError></detail></s:Fault>`),
    }),
  };
}

/** Lets everything run that waits for no timer. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Moves the clock by `ms` in steps, and lets what falls due run after each. */
export async function advance(clock: VirtualClock, ms: number, stepMs = ms): Promise<void> {
  for (let left = ms; left > 0; left -= stepMs) {
    clock.advance(Math.min(stepMs, left));
    await settle();
  }
}

/** Waits for `work` while the clock runs, in steps of `stepMs`; at most two minutes of its time. */
export async function whileRunning<T>(clock: VirtualClock, work: Promise<T>, stepMs = 100): Promise<T> {
  let done = false;
  const noted = work.finally(() => {
    done = true;
  });
  noted.catch(() => {});
  await settle();
  for (let at = 0; !done && at < 120_000; at += stepMs) await advance(clock, stepMs);
  return noted;
}

/** What `work` rejects with. */
export function errorOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  return work.then(
    () => Promise.reject(new Error('it worked')),
    (error: { code: string; message: string }) => error,
  );
}

/** A mapper in front of that gateway, on the clock of the test; nothing is kept in a file unless `stateFile` says so. */
export function makeMapper(clock: VirtualClock, network: TestGateway, options: Partial<PortMapperOptions> = {}): PortMapper {
  const random = seededRandom(7);
  return new PortMapper({
    stateFile: null,
    clock,
    network,
    random: (count) => random.bytes(count),
    wallMs: () => clock.now(),
    isAlive: () => false,
    ...options,
  });
}
