// A PortMapper on a host of the lab: one JSON command a line on stdin, answers and events one JSON a line on stdout.
import { createInterface } from 'node:readline';
import { LiteDeskError } from '../../src/core/errors.ts';
import { type MappedProtocol, type MappingVia, PortMapper } from '../../src/net/portmap/index.ts';
import { systemNetwork6 } from '../../src/net/portmap/system-network.ts';

interface Command {
  readonly serial: number;
  readonly command: 'map' | 'unmap' | 'report' | 'probe' | 'removeLeftovers' | 'networkChanged' | 'stop';
  readonly protocol: MappedProtocol;
  readonly port: number;
}

const [stateFile = '', protocols = '', lease = '', family = '4'] = process.argv.slice(2);
const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const mapper = new PortMapper({
  stateFile,
  ...(protocols === '' ? {} : { protocols: protocols.split(',') as MappingVia[] }),
  ...(family === '6' ? { network: systemNetwork6 } : {}),
  ...(lease === '' ? {} : { leaseS: Number(lease) }),
  log: (log) => say({ log }),
});
mapper.on('changed', ({ previous, mapping }) => say({ event: 'changed', previous, mapping }));
mapper.on('lost', ({ previous, reason }) => say({ event: 'lost', previous, reason }));

async function run({ command, protocol, port }: Command): Promise<unknown> {
  if (command === 'map') return mapper.map(protocol, port);
  if (command === 'unmap') return mapper.unmap(protocol, port);
  if (command === 'report') return mapper.report();
  return mapper[command]();
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as Command;
  run(command).then(
    (value) => say({ serial: command.serial, value: value ?? null }),
    (error: unknown) => say({ serial: command.serial, error: error instanceof LiteDeskError ? error.toData() : String(error) }),
  );
});
