/** Asks the network for UPnP gateways, and takes the answers of ours alone. */
import { abortError } from '../errors.ts';
import type { ClientOptions } from './client.ts';
import { noAnswer } from './errors.ts';
import { gatewayUrl, IGD_TYPES, isGatewayHost, SSDP, SSDP6, ssdpLocation, ssdpSearch } from './ssdp.ts';
import type { UdpDoor } from './types.ts';

/** Gateways may think for so long before they answer, in seconds (the MX of the question). */
const WAIT_S = 2;
/** When the question is sent again, in ms, and when it is given up. */
const RESEND_MS = [1_000, 2_000, 3_000] as const;
/** After the first answer others, for other kinds of device, are waited for this long. */
const SETTLE_MS = 100;
/** Answers that are looked at; one gateway sends some eight. */
const MAX_ANSWERS = 64;
/** Descriptions that are asked for. */
const MAX_LOCATIONS = 3;

/** Where descriptions are, at least one. Throws PortMapError `no-answer`, or LiteDeskError ABORTED. */
export async function findLocations({ gateway, network, clock }: ClientOptions, signal: AbortSignal): Promise<URL[]> {
  if (signal.aborted) throw abortError(signal, 'punch');
  const door = await network.openUdp(gateway.localAddress).catch((error: Error) => {
    throw noAnswer(`no socket could be opened for it (${error.message})`);
  });
  const cancels: (() => void)[] = [];
  let onAbort = (): void => {};
  try {
    return await new Promise<URL[]>((resolve, reject) => {
      const found = new Map<string, URL>();
      let answers = 0;
      let elsewhere = false;
      onAbort = () => reject(abortError(signal, 'punch'));
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      door.onDatagram((bytes, from) => {
        // Any port: many answer from another one than they listen on.
        if (!isGatewayHost(from.host, gateway) || ++answers > MAX_ANSWERS) return;
        const text = ssdpLocation(bytes);
        const url = text === null ? null : gatewayUrl(text, undefined, gateway);
        elsewhere ||= text !== null && url === null;
        if (!url || found.size >= MAX_LOCATIONS || found.has(url.href)) return;
        found.set(url.href, url);
        if (found.size === 1) cancels.push(clock.setTimer(SETTLE_MS, () => resolve([...found.values()])));
      });
      const ask = (at: number): void => {
        const waitMs = RESEND_MS[at];
        if (waitMs === undefined) {
          reject(noAnswer(elsewhere ? 'it names a description that is not its own' : ''));
          return;
        }
        sendQuestions(door, gateway.address);
        cancels.push(clock.setTimer(waitMs, () => ask(at + 1)));
      };
      ask(0);
    });
  } finally {
    for (const cancel of cancels) cancel();
    signal.removeEventListener('abort', onAbort);
    door.close();
  }
}

/** To all, and to the gateway alone, which some networks pass where they drop multicast. */
function sendQuestions(door: UdpDoor, gateway: string): void {
  const group = gateway.includes(':') ? SSDP6 : SSDP;
  for (const type of IGD_TYPES)
    for (const host of [group.host, gateway]) door.send(ssdpSearch(type, WAIT_S, group), { host, port: group.port });
}
