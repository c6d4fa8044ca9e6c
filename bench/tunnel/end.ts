/**
 * Both ends of a measurement, as processes in the lab: `end.ts '{"role":"serve",…}'` listens, the other roles connect and print
 * one line of JSON. The server's protocol: the first byte of a connection says what it is for.
 */
import { connect, createServer, type Socket } from 'node:net';

export type EndOptions =
  | { readonly role: 'serve'; readonly port: number }
  | { readonly role: 'bulk'; readonly host: string; readonly port: number; readonly settleMs: number; readonly forMs: number }
  | { readonly role: 'open'; readonly host: string; readonly port: number; readonly times: number; readonly atOnce: number };

const BULK = 'b'.charCodeAt(0);
const ECHO = 'e';
const CHUNK = Buffer.alloc(256 * 1024);

const options = JSON.parse(process.argv[2] ?? '') as EndOptions;
if (options.role === 'serve') serve(options.port);
else if (options.role === 'bulk') print(await bulk(options));
else print(await open(options));

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`, () => process.exit(0));
}

function serve(port: number): void {
  createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', (first) => {
      if (first[0] === BULK) pour(socket);
      else socket.write(first);
    });
  }).listen(port, '0.0.0.0', () => process.stdout.write('listening\n'));
}

function pour(socket: Socket): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(CHUNK));
  };
  socket.on('drain', more);
  more();
}

function dial(host: string, port: number): Socket {
  const socket = connect({ host, port, noDelay: true });
  socket.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
  return socket;
}

/** Bytes a second on one connection, counted for `forMs` after `settleMs`. */
function bulk({ host, port, settleMs, forMs }: Extract<EndOptions, { role: 'bulk' }>): Promise<number> {
  return new Promise((resolve) => {
    const socket = dial(host, port);
    socket.write('b');
    let bytes = 0;
    socket.on('data', (chunk) => (bytes += chunk.length));
    setTimeout(() => {
      const [before, startedAt] = [bytes, performance.now()];
      setTimeout(() => resolve(((bytes - before) * 1000) / (performance.now() - startedAt)), forMs);
    }, settleMs);
  });
}

/** Milliseconds from dialling to the first byte of an answer, for each of `times` rounds the last of `atOnce` connections. */
async function open({ host, port, times, atOnce }: Extract<EndOptions, { role: 'open' }>): Promise<number[]> {
  const rounds: number[] = [];
  for (let round = 0; round < times; round++) {
    const startedAt = performance.now();
    const sockets = Array.from({ length: atOnce }, () => dial(host, port));
    await Promise.all(
      sockets.map(
        (socket) =>
          new Promise<void>((resolve) => {
            socket.write(ECHO);
            socket.once('data', () => resolve());
          }),
      ),
    );
    rounds.push(performance.now() - startedAt);
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return rounds;
}
