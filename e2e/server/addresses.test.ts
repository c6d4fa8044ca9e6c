/** A server with several addresses answers from the one that was asked: a NAT or a connected socket drops anything else. */
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { buildCli, CliProcess } from '../lib/cli-process.ts';
import { createLab, type Lab, labUnavailable } from '../natlab/index.ts';

const unavailable = labUnavailable();
if (unavailable !== null) console.warn(`SKIPPED, several addresses: ${unavailable}`);
else buildCli();

/** Asks for the observed port over a connected socket, which hears nobody else; says whether an answer came. */
const ASK = `
const [address, port] = process.argv.slice(1);
const socket = require('dgram').createSocket(address.includes(':') ? 'udp6' : 'udp4');
const done = (answered) => { console.log(answered); process.exit(0); };
socket.on('error', () => {});
socket.on('message', (bytes) => done(bytes.subarray(0, 2).toString('hex')));
socket.bind(0, () => socket.connect(Number(port), address, () => {
  // RegisterPeer, which is always answered; often, since the lab may drop the first of a new neighbour.
  const ask = () => socket.send(Buffer.from('320d0a09313233343536373839' + '1003', 'hex'), () => {});
  ask();
  setInterval(ask, 200);
}));
setTimeout(() => done('nothing'), 5000);
`;

describe.skipIf(unavailable !== null)('a server with several addresses', () => {
  let lab: Lab;
  afterEach(() => lab.destroy());

  test.each([
    { title: 'the classic port', args: [], port: 21116 },
    { title: 'the single port', args: ['--single-port', '443', '--classic-ports', 'off'], port: 443 },
  ])('answers over UDP from each that it is asked at, IPv4 and IPv6: $title', async ({ args, port }) => {
    lab = await createLab({ hosts: { server: 'open', client: 'open' }, ipv6: true });
    const server = lab.host('server');
    const number = server.address.split('.')[3] ?? '';
    const addresses = [server.address, '203.0.113.240', '203.0.113.241', `2001:db8:113::${number}`, '2001:db8:113::f0', '2001:db8:113::f1'];
    for (const address of ['203.0.113.240/24', '203.0.113.241/24', '2001:db8:113::f0/64', '2001:db8:113::f1/64'])
      await server.run('ip', ['addr', 'add', address, 'dev', 'eth0', ...(address.includes(':') ? ['nodad'] : [])]);
    const running = new CliProcess(server, ['server', '--data', join(lab.directory, 'server'), ...args]);
    await running.waitFor('ready');
    const ask = async (address: string): Promise<string> =>
      (await lab.host('client').run(process.execPath, ['-e', ASK, address, String(port)])).stdout.trim();
    const answers = await Promise.all(addresses.map(async (address) => [address, await ask(address)]));
    expect(answers).toEqual(addresses.map((address) => [address, '3a02']));
  });
});
