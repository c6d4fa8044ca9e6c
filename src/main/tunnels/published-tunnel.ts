/** A service of this computer that is kept published at the server, as one of the app's tunnels. */
import type { ErrorData } from '../../core/errors.ts';
import { formatHostPort } from '../../net/index.ts';
import type { Publisher } from '../../peer/publish/publisher.ts';
import type { ServiceSpec } from '../../peer/publish/service-spec.ts';
import type { PublishTunnel } from '../../shared/tunnels.ts';
import { NOTHING, type RunningStatus, type RunningTunnel } from './engine.ts';

/** What the server is told to publish. The id keeps two tunnels to one port apart. */
export function serviceOf({ id, protocol, host, port, publicPort, publicHost }: PublishTunnel): ServiceSpec {
  const byPort = protocol === 'tcp' || protocol === 'udp';
  return {
    name: `${protocol}-${port}-${id.slice(0, 8)}`,
    kind: protocol,
    backends: [{ host, port }],
    where: byPort ? (publicPort === 0 ? '' : String(publicPort)) : publicHost,
    allow: [],
    basicAuth: null,
    health: null,
    maxConnections: 0,
    bandwidthKbps: 0,
  };
}

export class PublishedTunnel implements RunningTunnel {
  readonly #publisher: Pick<Publisher, 'on' | 'start' | 'stop'>;
  #status: RunningStatus = { ...NOTHING, phase: 'starting' };

  constructor(publisher: Pick<Publisher, 'on' | 'start' | 'stop'>, onChange: () => void) {
    this.#publisher = publisher;
    const set = (change: Partial<RunningStatus> & Pick<RunningStatus, 'phase'>): void => {
      this.#status = { ...NOTHING, ...change };
      onChange();
    };
    publisher.on('published', ({ kind, address, port, url }) =>
      set({ phase: 'ready', address: kind === 'tcp' || kind === 'udp' ? formatHostPort({ host: address, port }) : url }),
    );
    publisher.on('unpublished', ({ reason, message }) => set({ phase: 'failed', error: notPublished(reason, message) }));
    publisher.on('offline', ({ error, retryInMs }) => set({ phase: 'waiting', error, retryInMs }));
    publisher.start();
  }

  get status(): RunningStatus {
    return this.#status;
  }

  async stop(): Promise<void> {
    await this.#publisher.stop();
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
