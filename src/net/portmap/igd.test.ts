import { describe, expect, test } from 'vitest';
import { WireError } from '../../core/errors.ts';
import { forEachSeed } from '../../core/testing/seeds.ts';
import { choosesPorts, readDescription, readSoap, soapRequest } from './igd.ts';
import { gatewayUrl, IGD_TYPES, ssdpLocation, ssdpSearch } from './ssdp.ts';
import { escapeXml, findAll, MAX_XML_CHARS, readXml } from './xml.ts';

const GATEWAY = { address: '192.168.1.1', localAddress: '192.168.1.10' };
const LOCATION = new URL('http://192.168.1.1:36131/rootDesc.xml');
const service = (type: string, url: string): string => `<service><serviceType>${type}</serviceType><controlURL>${url}</controlURL></service>`;
const description = (services: string, head = ''): string => `<?xml version="1.0"?>
<root xmlns="urn:schemas-upnp-org:device-1-0" configId="1337">${head}<device><friendlyName>A &amp; B</friendlyName>
<deviceList><device><serviceList>${services}</serviceList></device></deviceList></device></root>`;
const IP2 = 'urn:schemas-upnp-org:service:WANIPConnection:2';
const IP1 = 'urn:schemas-upnp-org:service:WANIPConnection:1';
const PPP = 'urn:schemas-upnp-org:service:WANPPPConnection:1';
const FAULT = `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault><faultcode>s:Client</faultcode>
<detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>718</errorCode><errorDescription>ConflictInMappingEntry</errorDescription></UPnPError></detail></s:Fault></s:Body></s:Envelope>`;
const ANSWER = `<s:Envelope xmlns:s="x"><s:Body><u:GetExternalIPAddressResponse xmlns:u="${IP1}"><NewExternalIPAddress>192.0.1.11</NewExternalIPAddress></u:GetExternalIPAddressResponse></s:Body></s:Envelope>`;

describe('XML', () => {
  test('elements, text, entities, comments, CDATA', () => {
    const root = readXml(`<?xml version="1.0"?><!-- a < b --><a:r x="1>2" y='"'><b>1 &lt; &#x32;&#33;</b><b/><c><![CDATA[<&>]]></c></a:r>`);
    expect(root.name).toBe('r');
    expect(findAll(root, 'b').map(({ text }) => text)).toEqual(['1 < 2!', '']);
    expect(findAll(root, 'c')[0]?.text).toBe('<&>');
    expect(readXml(`<a>${escapeXml(`<'"&>`)}</a>`).text).toBe(`<'"&>`);
  });

  test.each([
    ['a document type', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['an entity nobody defined', '<a>&b;</a>'],
    ['a character beyond Unicode', '<a>&#x110000;</a>'],
    ['tags crossed', '<a><b></a></b>'],
    ['no end', '<a><b></b>'],
    ['an end too many', '<a></a></a>'],
    ['two roots', '<a/><b/>'],
    ['text outside', 'x<a/>'],
    ['a tag that never ends', '<a b="'],
    ['no name', '< a/>'],
    ['nothing', ''],
    ['a comment that never ends', '<!-- <a/>'],
    ['too deep', '<a>'.repeat(40) + '</a>'.repeat(40)],
    ['too many', `<a>${'<b/>'.repeat(2_000)}</a>`],
    ['too much text', `<a>${'x'.repeat(5_000)}</a>`],
    ['too long', `<a>${' '.repeat(MAX_XML_CHARS)}</a>`],
  ])('%s is refused', (_, text) => expect(() => readXml(text)).toThrow(WireError));
});

describe('descriptions', () => {
  test('the newest service that maps ports comes first', () => {
    const found = readDescription(description(service(PPP, '/ppp') + service(IP1, 'ip1') + service(IP2, '/ctl/IPConn') + service('urn:x', '/x')), LOCATION, GATEWAY);
    expect(found.map(({ type, controlUrl }) => [type, controlUrl.href])).toEqual([
      [IP2, 'http://192.168.1.1:36131/ctl/IPConn'],
      [IP1, 'http://192.168.1.1:36131/ip1'],
      [PPP, 'http://192.168.1.1:36131/ppp'],
    ]);
    expect(found.map(choosesPorts)).toEqual([true, false, false]);
  });

  test('URLBase counts when it is on the gateway', () => {
    const at = (base: string) =>
      readDescription(description(service(IP1, 'c'), `<URLBase>${base}</URLBase>`), LOCATION, GATEWAY).map(({ controlUrl }) => controlUrl.href);
    expect(at('http://192.168.1.1:5000/x/')).toEqual(['http://192.168.1.1:5000/x/c']);
    expect(at('http://evil.example/')).toEqual(['http://192.168.1.1:36131/c']);
    expect(at('')).toEqual(['http://192.168.1.1:36131/c']);
  });

  test.each(['http://192.168.1.2/c', 'https://192.168.1.1/c', '//192.168.1.9/c', 'http://user@192.168.1.1/c', 'http://router.lan/c', 'file:///etc/passwd', 'http://[::1]/c', `/${'c'.repeat(600)}`])(
    'a control URL elsewhere is not taken: %s',
    (url) => expect(readDescription(description(service(IP1, url)), LOCATION, GATEWAY)).toEqual([]),
  );

  test('forms of an address that mean the gateway are the gateway', () => {
    expect(gatewayUrl('http://0xc0a80101/c', undefined, GATEWAY)?.hostname).toBe(GATEWAY.address);
    expect(gatewayUrl('http://192.168.1.1:0/c', undefined, GATEWAY)).toBeNull();
  });
});

describe('over IPv6', () => {
  const at = (address: string, url: string): string | undefined => gatewayUrl(url, undefined, { address, localAddress: '2001:db8:5::10' })?.href;

  test('the gateway is asked at its own address, or where it is in our network if that one is link-local', () => {
    expect(at('2001:db8:5::1', 'http://[2001:db8:5:0::1]:5000/c')).toBe('http://[2001:db8:5::1]:5000/c');
    expect(at('fe80::1%eth0', 'http://[fe80::1]:5000/c')).toBe('http://[fe80::1]:5000/c');
    expect(at('fe80::1%eth0', 'http://[2001:db8:5::1]:5000/c')).toBe('http://[2001:db8:5::1]:5000/c');
  });

  test.each([
    ['another of our network', '2001:db8:5::1', 'http://[2001:db8:5::2]/c'],
    ['another network', 'fe80::1%eth0', 'http://[2001:db8:6::1]/c'],
    ['this computer', 'fe80::1%eth0', 'http://[2001:db8:5::10]/c'],
    ['an IPv4 address', 'fe80::1%eth0', 'http://192.168.1.1/c'],
    ['a name', 'fe80::1%eth0', 'http://router.lan/c'],
    ['loopback', 'fe80::1%eth0', 'http://[::1]/c'],
  ])('%s is not asked', (_what, address, url) => expect(at(address, url)).toBeUndefined());
});

describe('SSDP', () => {
  const answer = (lines: string[], status = 'HTTP/1.1 200 OK') => Buffer.from([status, ...lines, '', ''].join('\r\n'));
  const good = ['CACHE-CONTROL: max-age=120', `ST: ${IGD_TYPES[1]}`, 'EXT:', 'Location:  http://192.168.1.1:36131/rootDesc.xml '];

  test('the question', () => {
    expect(Buffer.from(ssdpSearch(IGD_TYPES[0], 2)).toString()).toBe(
      `M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "ssdp:discover"\r\nMX: 2\r\nST: ${IGD_TYPES[0]}\r\n\r\n`,
    );
  });

  test('answers', () => {
    expect(ssdpLocation(answer(good))).toBe('http://192.168.1.1:36131/rootDesc.xml');
    expect(ssdpLocation(answer(good, 'HTTP/1.1 404 Not Found'))).toBeNull();
    expect(ssdpLocation(answer(good, 'NOTIFY * HTTP/1.1'))).toBeNull();
    expect(ssdpLocation(answer(['ST: upnp:rootdevice', good[3] ?? '']))).toBeNull();
    expect(ssdpLocation(answer(good.slice(0, 3)))).toBeNull();
    expect(ssdpLocation(answer([`X: ${'x'.repeat(5_000)}`, ...good]))).toBeNull();
  });
});

describe('SOAP', () => {
  test('a request names the service and the action, and escapes its values', () => {
    const { headers, body } = soapRequest({ type: IP1, controlUrl: LOCATION }, 'AddPortMapping', { NewRemoteHost: '', NewDescription: '<&>' });
    expect(headers['SOAPAction']).toBe(`"${IP1}#AddPortMapping"`);
    const [action] = readXml(body).children[0]?.children ?? [];
    expect(action?.name).toBe('AddPortMapping');
    expect(action?.children.map(({ name, text }) => [name, text])).toEqual([['NewRemoteHost', ''], ['NewDescription', '<&>']]);
  });

  test('values and errors', () => {
    expect(readSoap(ANSWER, 'GetExternalIPAddress')).toEqual({ ok: true, values: new Map([['NewExternalIPAddress', '192.0.1.11']]) });
    expect(readSoap(FAULT, 'AddPortMapping')).toEqual({ ok: false, code: 718, description: 'ConflictInMappingEntry' });
    expect(() => readSoap(ANSWER, 'AddPortMapping')).toThrow(WireError);
    expect(() => readSoap('<html><body>Login</body></html>', 'AddPortMapping')).toThrow(WireError);
    expect(() => readSoap(FAULT.replace('718', 'many'), 'AddPortMapping')).toThrow(WireError);
  });
});

test('hostile text is an error or an answer, and takes no time', async () => {
  const parts = ['<', '>', '</', '/>', '<a', '<![CDATA[', ']]>', '<!--', '-->', '&', ';', '&#', '"', "'", '<?', '?>', '\0', 'x'.repeat(50)];
  await forEachSeed(3_000, (random) => {
    let text = random.pick([ANSWER, FAULT, description(service(IP1, '/c')), '']);
    for (let i = random.between(1, 6); i > 0; i--) {
      const from = random.below(text.length + 1);
      text = text.slice(0, from) + random.pick(parts) + text.slice(from + random.below(8));
    }
    for (const read of [() => readSoap(text, 'GetExternalIPAddress'), () => readDescription(text, LOCATION, GATEWAY), () => ssdpLocation(Buffer.from(text))]) {
      try {
        read();
      } catch (error) {
        expect(error).toBeInstanceOf(WireError);
      }
    }
  });
});
