/** NAT-PMP with one gateway (RFC 6886). */
import { type ClientOptions, clampLifetime, DELETE_WAITS_MS, isOutsideAddress } from './client.ts';
import { EpochWatch, natPmpEpochIsReset } from './epoch.ts';
import { refused } from './errors.ts';
import { doublingWaits, exchange } from './exchange.ts';
import { decodeNatPmp, encodeNatPmpAddress, encodeNatPmpMap, type NatPmpResponse, type NatPmpResult } from './nat-pmp.ts';
import { PCP_PORT } from './pcp.ts';
import type { GatewayProtocol, Grant, MappingWish } from './types.ts';

/** RFC 6886 §3.1: 250 ms, doubled each time. */
const FIRST_WAIT_MS = 250;
/** Sendings before a gateway counts as silent: 7.75 s. The RFC's nine would take two minutes. */
const TRIES = 5;

const WHY: Partial<Record<NatPmpResult, string>> = {
  UNSUPPORTED_VERSION: 'it does not speak this version',
  NOT_AUTHORIZED: 'its rules forbid it',
  NETWORK_FAILURE: 'it has no connection to the outside',
  OUT_OF_RESOURCES: 'it has no room for more ports',
  UNSUPPORTED_OPCODE: 'it opens no ports',
};

type Answer = NatPmpResponse | 'another version';

export class NatPmpClient implements GatewayProtocol {
  readonly via = 'nat-pmp';
  readonly #options: ClientOptions;
  readonly #epoch: EpochWatch;
  #externalAddress = '';

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#epoch = new EpochWatch(options.clock, natPmpEpochIsReset);
  }

  async probe(signal: AbortSignal): Promise<void> {
    await this.#askAddress(signal);
  }

  async map(wish: MappingWish, signal: AbortSignal): Promise<Grant> {
    // The answer to a mapping does not say the address.
    await this.#askAddress(signal);
    const { externalPort, lifetimeS } = await this.#askMap({ ...wish, lifetimeS: this.#options.leaseS }, doublingWaits(FIRST_WAIT_MS, TRIES), signal);
    if (externalPort === 0 || lifetimeS === 0) throw refused('what it answered makes no sense');
    return { externalAddress: this.#externalAddress, externalPort, lifetimeS: clampLifetime(lifetimeS) };
  }

  async unmap(wish: MappingWish, signal: AbortSignal): Promise<void> {
    await this.#askMap({ ...wish, externalPort: 0, lifetimeS: 0 }, DELETE_WAITS_MS, signal);
  }

  async check(_wishes: readonly MappingWish[], signal: AbortSignal): Promise<'as-before' | 'lost'> {
    return (await this.#askAddress(signal)) ? 'lost' : 'as-before';
  }

  /** True: the gateway forgot everything, or has another address. */
  async #askAddress(signal: AbortSignal): Promise<boolean> {
    const before = this.#externalAddress;
    const { answer, isReset } = await this.#ask(encodeNatPmpAddress(), doublingWaits(FIRST_WAIT_MS, TRIES), signal, (response) =>
      response.kind === 'address' ? response : null,
    );
    if (!isOutsideAddress(answer.externalAddress)) throw refused('it has no address outside');
    this.#externalAddress = answer.externalAddress;
    return isReset || (before !== '' && before !== answer.externalAddress);
  }

  async #askMap(wish: Omit<MappingWish, 'nonce'> & { lifetimeS: number }, waitsMs: readonly number[], signal: AbortSignal): Promise<{ externalPort: number; lifetimeS: number }> {
    const { answer, isReset } = await this.#ask(encodeNatPmpMap(wish), waitsMs, signal, (response) =>
      response.kind === 'map' && response.protocol === wish.protocol && (response.internalPort === wish.internalPort || response.result !== 'SUCCESS')
        ? response
        : null,
    );
    if (isReset) this.#options.onReset();
    return answer;
  }

  async #ask<T extends NatPmpResponse>(
    request: Uint8Array,
    waitsMs: readonly number[],
    signal: AbortSignal,
    pick: (response: NatPmpResponse) => T | null,
  ): Promise<{ answer: T; isReset: boolean }> {
    const { gateway, network, clock } = this.#options;
    const answer = await exchange<T | Exclude<Answer, NatPmpResponse>>({
      network,
      localAddress: gateway.localAddress,
      to: { host: gateway.address, port: PCP_PORT },
      request,
      waitsMs,
      // Who knows only PCP answers with its own version (RFC 6887 §9).
      read: (bytes) => (bytes[0] === 2 && bytes.length >= 24 ? 'another version' : pick(decodeNatPmp(bytes))),
      clock,
      signal,
    });
    if (answer === 'another version') throw refused('it speaks PCP only');
    const isReset = this.#epoch.saw(answer.epochS);
    if (answer.result !== 'SUCCESS') throw refused(`${WHY[answer.result] ?? 'it does not say why'} (${answer.result})`);
    return { answer, isReset };
  }
}
