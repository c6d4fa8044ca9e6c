// Runs on a gateway of the lab: answers what is asked at the ports of PCP, NAT-PMP and UPnP, but with rubbish, and with
// addresses of another computer (argument 2). Argument 1 is the gateway's own address.
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';

const [own, elsewhere] = process.argv.slice(2);

const mapping = createSocket('udp4');
mapping.on('message', (_, from) => {
  for (const size of [0, 1, 8, 12, 16, 24, 60, 1_100, 1_400]) mapping.send(Buffer.concat([Buffer.of(9), randomBytes(size)]), from.port, from.address);
});
mapping.bind(5351, own);

const web = createServer((_, answer) => answer.writeHead(302, { Location: elsewhere }).end());
web.listen(0, own, () => {
  const search = createSocket({ type: 'udp4', reuseAddr: true });
  search.on('message', (_, from) => {
    for (const location of [elsewhere, `http://${own}:${web.address().port}/`])
      search.send(
        `HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: ${location}\r\n\r\n`,
        from.port,
        from.address,
      );
    search.send(randomBytes(1_400), from.port, from.address);
  });
  search.bind(1900, own, () => console.log('ready'));
});
