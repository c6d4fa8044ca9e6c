/** Requests to the web server of a UPnP gateway, and what its answers mean. */
import { WireError } from '../../core/errors.ts';
import { abortError } from '../errors.ts';
import type { ClientOptions } from './client.ts';
import { noAnswer, type PortMapError, refused } from './errors.ts';
import { type IgdAction, type IgdService, readDescription, readSoap, type SoapAnswer, soapRequest } from './igd.ts';
import type { HttpAnswer, HttpRequest } from './types.ts';
import { MAX_XML_CHARS } from './xml.ts';

/** One request from connecting to the last byte; gateways are slow computers, but not slower. */
const HTTP_TIMEOUT_MS = 5_000;

export class IgdTransport {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** The services of those types in the description there, best first. Throws PortMapError, ABORTED. */
  async services(location: URL, types: readonly IgdService['type'][], signal: AbortSignal): Promise<IgdService[]> {
    const { status, body } = await this.#http({ url: location, method: 'GET', headers: {}, body: '' }, signal);
    if (status !== 200) throw refused(status >= 300 && status < 400 ? 'its description sends us elsewhere' : `its description cannot be had (HTTP ${status})`);
    return meaningOf(() => readDescription(body, location, this.#options.gateway, types));
  }

  async call(service: IgdService, action: IgdAction, args: Readonly<Record<string, string | number>>, signal: AbortSignal): Promise<SoapAnswer> {
    const { status, body } = await this.#http({ url: service.controlUrl, method: 'POST', ...soapRequest(service, action, args) }, signal);
    // Errors of UPnP come with 500 (UPnP Device Architecture 1.1 §3.2.5).
    if (status !== 200 && status !== 500) throw refused(`it answers HTTP ${status}`);
    return meaningOf(() => readSoap(body, action));
  }

  async #http(request: Omit<HttpRequest, 'maxBytes'>, signal: AbortSignal): Promise<HttpAnswer> {
    const { network, clock, gateway } = this.#options;
    if (signal.aborted) throw abortError(signal, 'punch');
    const late = new AbortController();
    const cancel = clock.setTimer(HTTP_TIMEOUT_MS, () => late.abort());
    try {
      return await network.request({ ...request, maxBytes: MAX_XML_CHARS }, gateway.localAddress, AbortSignal.any([signal, late.signal]));
    } catch (error) {
      if (signal.aborted) throw abortError(signal, 'punch');
      throw noAnswer(late.signal.aborted ? 'it answered too slowly' : `it cannot be asked (${error instanceof Error ? error.message : String(error)})`);
    } finally {
      cancel();
    }
  }
}

export function upnpRefusal({ code, description }: { code: number; description: string }): PortMapError {
  return refused(`${description || 'it does not say why'} (UPnP error ${code})`);
}

function meaningOf<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WireError) throw refused('what it answered makes no sense');
    throw error;
  }
}
