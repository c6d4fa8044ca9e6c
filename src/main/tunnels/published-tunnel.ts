/** Services of this computer that are kept published at the server, as tunnels of the app: all over one connection. */
import { randomUUID } from 'node:crypto';
import type { ErrorData } from '../../core/errors.ts';
import { formatHostPort } from '../../net/index.ts';
import type { Publisher } from '../../peer/publish/publisher.ts';
import type { ServiceSpec } from '../../peer/publish/service-spec.ts';
import type { PublishTunnel, StoredSecrets } from '../../shared/tunnels.ts';
import { NOTHING, type RunningStatus, type RunningTunnel } from './engine.ts';

const HEALTH_INTERVAL_MS = 10_000;

/** What the server is told to publish. The id keeps two tunnels to one port apart. */
export function serviceOf(tunnel: PublishTunnel, { proxyPassword = '' }: StoredSecrets = {}): ServiceSpec {
  const { id, protocol, host, port, publicPort, publicHost, more, allow, user, health, maxConnections, bandwidthMbps } = tunnel;
  const byPort = protocol === 'tcp' || protocol === 'udp';
  return {
    name: `${protocol}-${port}-${id.slice(0, 8)}`,
    kind: protocol,
    backends: [{ host, port }, ...more],
    where: byPort ? (publicPort === 0 ? '' : String(publicPort)) : publicHost,
    allow,
    // Where the password has got lost nobody gets in, rather than everybody.
    basicAuth: protocol === 'http' && user !== '' ? { user, password: proxyPassword || randomUUID() } : null,
    health: health === '' ? null : { path: health === 'tcp' ? null : health, intervalMs: HEALTH_INTERVAL_MS },
    maxConnections,
    bandwidthKbps: Math.round(bandwidthMbps * 1000),
  };
}

type PublisherPart = Pick<Publisher, 'on' | 'start' | 'stop' | 'add' | 'remove' | 'connections'>;
type State = Partial<RunningStatus> & Pick<RunningStatus, 'phase'>;

interface Entry {
  state: State;
  readonly onChange: () => void;
}

/** The connection is made with the first and ends with the last. */
export class PublishedTunnels {
  readonly #newPublisher: () => PublisherPart;
  readonly #entries = new Map<string, Entry>();
  #publisher: PublisherPart | null = null;

  constructor(newPublisher: () => PublisherPart) {
    this.#newPublisher = newPublisher;
  }

  start(service: ServiceSpec, onChange: () => void): RunningTunnel {
    const { name } = service;
    const entry: Entry = { state: { phase: 'starting' }, onChange };
    this.#entries.set(name, entry);
    const publisher = (this.#publisher ??= this.#connect());
    publisher.add(service);
    publisher.start();
    return {
      get status(): RunningStatus {
        const connections = publisher.connections(name);
        const { bytesIn = 0, bytesOut = 0 } = connections?.traffic ?? {};
        return { ...NOTHING, streams: connections?.size ?? 0, streamsTotal: connections?.total ?? 0, bytesIn, bytesOut, ...entry.state };
      },
      stop: async () => {
        if (this.#entries.get(name) === entry) this.#entries.delete(name);
        publisher.remove(name);
        if (this.#entries.size > 0 || this.#publisher !== publisher) return;
        this.#publisher = null;
        await publisher.stop();
      },
    };
  }

  #connect(): PublisherPart {
    const publisher = this.#newPublisher();
    const set = (entry: Entry | undefined, state: State): void => {
      if (!entry || this.#publisher !== publisher) return;
      entry.state = state;
      entry.onChange();
    };
    publisher.on('published', ({ name, kind, address, port, url }) =>
      set(this.#entries.get(name), { phase: 'ready', address: kind === 'tcp' || kind === 'udp' ? formatHostPort({ host: address, port }) : url }),
    );
    publisher.on('unpublished', ({ name, reason, message }) => set(this.#entries.get(name), { phase: 'failed', error: notPublished(reason, message) }));
    publisher.on('health', ({ name, healthy }) => {
      const entry = this.#entries.get(name);
      if (entry?.state.phase === 'ready') set(entry, { ...entry.state, error: healthy ? null : nothingAnswers() });
    });
    publisher.on('offline', ({ error, retryInMs }) => {
      for (const entry of this.#entries.values()) set(entry, { phase: 'waiting', error, retryInMs });
    });
    return publisher;
  }
}

function notPublished(reason: string, message: string): ErrorData {
  return {
    code: 'PUBLISH_REFUSED',
    stage: 'server',
    message: message === '' ? `The server does not publish the service (${reason}).` : message,
    hint: 'It is tried again by itself; choose another port or host name if that goes on.',
  };
}

function nothingAnswers(): ErrorData {
  return {
    code: 'PUBLISH_UNHEALTHY',
    stage: 'session',
    message: 'None of the programs behind the service answers.',
    hint: 'Start them, and check host, port and the page that is looked at.',
  };
}
