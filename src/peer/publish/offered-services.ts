/** Services that other computers reach by name over a session with this one. */
import type { MuxStream } from '../../core/mux/index.ts';
import { PublishedService } from './published-service.ts';
import type { ServiceSpec } from './service-spec.ts';

export class OfferedServices {
  #services = new Map<string, PublishedService>();

  /** Streams that are open stay. */
  set(specs: readonly ServiceSpec[]): void {
    for (const service of this.#services.values()) service.close();
    this.#services = new Map(specs.map((spec) => [spec.name, new PublishedService(spec, { onHealth: () => {}, onChange: () => {} })]));
    for (const service of this.#services.values()) void service.start();
  }

  /** @returns false when nothing is offered by that name */
  take(name: string, stream: MuxStream): boolean {
    const service = this.#services.get(name);
    service?.take(stream);
    return service !== undefined;
  }
}
