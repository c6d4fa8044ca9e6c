import type { LinkHandlers, LinkStats, Transport } from '../core/link.ts';
import type { NetLink } from './net-link.ts';

/** A link on top of another: everything goes to the one below, and each kind changes what it is there for. */
export abstract class DelegatedLink implements Omit<NetLink, 'takeRaw' | 'sendParts'> {
  protected readonly below: NetLink;

  constructor(below: NetLink) {
    this.below = below;
  }

  get transport(): Transport {
    return this.below.transport;
  }
  get localAddress(): string {
    return this.below.localAddress;
  }
  get remoteAddress(): string {
    return this.below.remoteAddress;
  }
  /** As on the wire. */
  get stats(): LinkStats {
    return this.below.stats;
  }
  get bufferedBytes(): number {
    return this.below.bufferedBytes;
  }
  get closed(): boolean {
    return this.below.closed;
  }

  abstract setHandlers(handlers: LinkHandlers): void;

  send(payload: Uint8Array): boolean {
    return this.below.send(payload);
  }
  setMaxPayload(bytes: number): void {
    this.below.setMaxPayload(bytes);
  }
  pause(): void {
    this.below.pause();
  }
  resume(): void {
    this.below.resume();
  }
  close(): void {
    this.below.close();
  }
  destroy(error?: Error): void {
    this.below.destroy(error);
  }
}
