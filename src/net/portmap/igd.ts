/**
 * Internet Gateway Device, versions 1 and 2: what its description says, and the requests of its WAN connection service as
 * SOAP (WANIPConnection:1 and :2, WANPPPConnection:1).
 */
import { WireError } from '../../core/errors.ts';
import type { Gateway, MappedProtocol } from './types.ts';
import { gatewayUrl } from './ssdp.ts';
import { childText, escapeXml, findAll, readXml } from './xml.ts';

/** Those that map ports, in the order in which they are taken. */
export const SERVICES = [
  'urn:schemas-upnp-org:service:WANIPConnection:2',
  'urn:schemas-upnp-org:service:WANIPConnection:1',
  'urn:schemas-upnp-org:service:WANPPPConnection:1',
] as const;

/** Lets connections to an IPv6 address in; gateways of version 2 alone. */
export const PINHOLE_SERVICE = 'urn:schemas-upnp-org:service:WANIPv6FirewallControl:1';

/** A gateway with several lines has a service for each; nobody has more. */
const MAX_SERVICES = 4;

/** By this name users find our entries in their router. */
export const MAPPING_NAME = 'LiteDesk';

export interface IgdService {
  readonly type: (typeof SERVICES)[number] | typeof PINHOLE_SERVICE;
  readonly controlUrl: URL;
}

/** What a gateway of version 2 can and older ones cannot: to choose a free port by itself. */
export function choosesPorts(service: IgdService): boolean {
  return service.type === SERVICES[0];
}

/** The services of those types, best first. Throws WireError when `text` is no description. */
export function readDescription(text: string, location: URL, gateway: Gateway, types: readonly IgdService['type'][] = SERVICES): IgdService[] {
  const root = readXml(text);
  if (root.name !== 'root') throw new WireError('BAD_IGD', 'not the description of a device');
  // URLBase is from UPnP 1.0; what it names is under the same rule.
  const base = gatewayUrl(childText(root, 'URLBase'), location, gateway) ?? location;
  const found = findAll(root, 'service').flatMap((service) => {
    const type = types.find((known) => known === childText(service, 'serviceType'));
    const controlUrl = gatewayUrl(childText(service, 'controlURL'), base, gateway);
    return type && controlUrl ? [{ type, controlUrl }] : [];
  });
  return found.sort((a, b) => types.indexOf(a.type) - types.indexOf(b.type)).slice(0, MAX_SERVICES);
}

export type IgdAction =
  | 'GetExternalIPAddress'
  | 'AddPortMapping'
  | 'AddAnyPortMapping'
  | 'DeletePortMapping'
  | 'GetSpecificPortMappingEntry'
  | 'GetFirewallStatus'
  | 'AddPinhole'
  | 'UpdatePinhole'
  | 'DeletePinhole'
  | 'GetPinholePackets';

/** Headers and body of a request. Arguments go in the order given, which some gateways insist on. */
export function soapRequest(
  service: IgdService,
  action: IgdAction,
  args: Readonly<Record<string, string | number>>,
): { headers: Record<string, string>; body: string } {
  const fields = Object.entries(args).map(([name, value]) => `<${name}>${escapeXml(String(value))}</${name}>`);
  return {
    headers: { 'Content-Type': 'text/xml; charset="utf-8"', SOAPAction: `"${service.type}#${action}"` },
    body:
      '<?xml version="1.0"?>\r\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" ' +
      's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>' +
      `<u:${action} xmlns:u="${service.type}">${fields.join('')}</u:${action}></s:Body></s:Envelope>\r\n`,
  };
}

export type SoapAnswer =
  | { readonly ok: true; readonly values: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly code: number; readonly description: string };

/** Reads an answer to `action`. Throws WireError when it is none. */
export function readSoap(text: string, action: IgdAction): SoapAnswer {
  const root = readXml(text);
  const body = root.name === 'Envelope' ? root.children.find((child) => child.name === 'Body') : undefined;
  const [content] = body?.children ?? [];
  if (content?.name === `${action}Response`) return { ok: true, values: new Map(content.children.map((child) => [child.name, child.text])) };
  const [error] = content?.name === 'Fault' ? findAll(content, 'UPnPError') : [];
  const code = error ? childText(error, 'errorCode') : '';
  if (error === undefined || !/^\d{1,4}$/.test(code)) throw new WireError('BAD_SOAP', `not an answer to ${action}`);
  const description = childText(error, 'errorDescription').replace(/[^\x20-\x7e]/g, '').slice(0, MAX_DESCRIPTION_CHARS);
  return { ok: false, code: Number(code), description };
}

/** It ends up in our messages. */
const MAX_DESCRIPTION_CHARS = 80;

/** UPnP errors that we act on (WANIPConnection:2 §2.5, WANIPv6FirewallControl:1 §2.5). */
export const IGD_ERROR = {
  invalidAction: 401,
  invalidArgs: 402,
  notImplemented: 602,
  noSuchPinhole: 704,
  noSuchEntry: 714,
  conflict: 718,
  samePortValuesRequired: 724,
  onlyPermanentLeases: 725,
  noPortsLeft: 728,
  conflictWithOther: 729,
} as const;

export function igdProtocol(protocol: MappedProtocol): 'TCP' | 'UDP' {
  return protocol === 'tcp' ? 'TCP' : 'UDP';
}

/** A port from an answer, 1 … 65535; null when it is none. */
export function readPort(text: string | undefined): number | null {
  const port = /^\d{1,5}$/.test(text ?? '') ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : null;
}
