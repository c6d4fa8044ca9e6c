/** PCP with one gateway (RFC 6887). */
import { timingSafeEqual } from 'node:crypto';
import { isIPv6 } from 'node:net';
import { type ClientOptions, clampLifetime, DELETE_WAITS_MS, fraction, isOutsideAddress } from './client.ts';
import { EpochWatch, pcpEpochIsReset } from './epoch.ts';
import { PortMapError, refused } from './errors.ts';
import { doublingWaits, exchange } from './exchange.ts';
import { decodePcp, encodePcpAnnounce, encodePcpMap, PCP_PORT, type PcpResponse, type PcpResult } from './pcp.ts';
import type { GatewayProtocol, Grant, MappingWish } from './types.ts';

/** RFC 6887 §8.1.1: IRT. */
const FIRST_WAIT_MS = 3_000;
/** Its spread, RAND. */
const SPREAD = 0.1;
/** Of a mapping that cannot be removed, in seconds. */
const SHORTEST_LIFE_S = 1;
/** Sendings before a gateway counts as silent, for a first question and for one that it is known to understand. */
const PROBES = 2;
const TRIES = 3;

const WHY: Partial<Record<PcpResult, string>> = {
  UNSUPP_VERSION: 'it does not speak this version',
  NOT_AUTHORIZED: 'its rules forbid it',
  UNSUPP_OPCODE: 'it opens no ports',
  UNSUPP_PROTOCOL: 'it does not open ports of this kind',
  NETWORK_FAILURE: 'it has no connection to the outside',
  NO_RESOURCES: 'it has no room for more ports',
  USER_EX_QUOTA: 'this computer has as many ports as it may',
  CANNOT_PROVIDE_EXTERNAL: 'it has no such port',
  ADDRESS_MISMATCH: 'there is another NAT between it and this computer',
};

type Answer = PcpResponse | 'another version';

export class PcpClient implements GatewayProtocol {
  readonly via = 'pcp';
  readonly #options: ClientOptions;
  readonly #epoch: EpochWatch;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#epoch = new EpochWatch(options.clock, pcpEpochIsReset);
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#announce(PROBES, signal);
  }

  async map(wish: MappingWish, signal: AbortSignal): Promise<Grant> {
    const { map, lifetimeS } = await this.#map(wish, this.#options.leaseS, this.#waits(TRIES), signal);
    if (!map || map.externalPort === 0 || !isOutsideAddress(map.externalAddress) || lifetimeS === 0)
      throw refused('what it answered makes no sense');
    return { externalAddress: map.externalAddress, externalPort: map.externalPort, lifetimeS: clampLifetime(lifetimeS) };
  }

  async unmap(wish: MappingWish, signal: AbortSignal): Promise<void> {
    try {
      await this.#map({ ...wish, externalPort: 0 }, 0, DELETE_WAITS_MS, signal);
    } catch (error) {
      // miniupnpd 2.3.1 forgets whose pinhole it is when that is renewed; but it still lets us shorten its life.
      if (!isIPv6(this.#options.gateway.localAddress) || !(error instanceof PortMapError) || error.state !== 'refused') throw error;
      await this.#map(wish, SHORTEST_LIFE_S, DELETE_WAITS_MS, signal);
    }
  }

  async check(_wishes: readonly MappingWish[], signal: AbortSignal): Promise<'as-before' | 'lost'> {
    return (await this.#announce(TRIES, signal)) ? 'lost' : 'as-before';
  }

  /** True: the gateway forgot everything since it was last heard. */
  async #announce(tries: number, signal: AbortSignal): Promise<boolean> {
    const answer = await this.#ask(encodePcpAnnounce(this.#options.gateway.localAddress), this.#waits(tries), signal, (response) =>
      response.opcode === 'announce' ? response : null,
    );
    const isReset = this.#epoch.saw(answer.epochS);
    // A gateway that does not know this question has answered it all the same.
    if (answer.result !== 'SUCCESS' && answer.result !== 'UNSUPP_OPCODE') throw refusal(answer);
    return isReset;
  }

  async #map(wish: MappingWish, lifetimeS: number, waitsMs: readonly number[], signal: AbortSignal): Promise<PcpResponse> {
    const request = encodePcpMap({ ...wish, clientAddress: this.#options.gateway.localAddress, lifetimeS });
    const answer = await this.#ask(request, waitsMs, signal, (response) => {
      const { map } = response;
      // RFC 6887 §11.4: it is about this mapping, and from who was asked.
      const isOurs = map && timingSafeEqual(map.nonce, wish.nonce) && map.protocol === wish.protocol && map.internalPort === wish.internalPort;
      return isOurs ? response : null;
    });
    if (this.#epoch.saw(answer.epochS)) this.#options.onReset();
    if (answer.result !== 'SUCCESS') throw refusal(answer);
    return answer;
  }

  async #ask(request: Uint8Array, waitsMs: readonly number[], signal: AbortSignal, pick: (response: PcpResponse) => PcpResponse | null): Promise<PcpResponse> {
    const { gateway, network, clock } = this.#options;
    const answer = await exchange<Answer>({
      network,
      localAddress: gateway.localAddress,
      to: { host: gateway.address, port: PCP_PORT },
      request,
      waitsMs,
      // RFC 6887 §9: who knows only NAT-PMP says so in its own words, with version 0.
      read: (bytes) => (bytes[0] === 0 && bytes.length >= 8 ? 'another version' : pick(decodePcp(bytes))),
      clock,
      signal,
    });
    if (answer === 'another version') throw refused('it speaks NAT-PMP only');
    return answer;
  }

  #waits(count: number): number[] {
    return doublingWaits(FIRST_WAIT_MS, count, SPREAD, () => fraction(this.#options.random));
  }
}

function refusal({ result, lifetimeS }: PcpResponse): Error {
  return refused(`${WHY[result] ?? 'it does not say why'} (${result})`, clampLifetime(lifetimeS) * 1000);
}
