/** `npm run bench -- grid` and `grid-delay`, with `--write` into docs/. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { birthdayLine, type BirthdayResult, delayTable, gridSummary, gridTable, quantile } from './document.ts';
import { type GridCell, runGrid } from './grid.ts';
import { short } from '../table.ts';

const LOSSES = [0, 10] as const;
const BIRTHDAY_TRIES = 50;
const BIRTHDAY_WITHIN_MS = 3_000;
/** 40 ms to the server and back, 60 ms between the peers. */
const DELAY_MS = { server: 5, peer: 15 } as const;
const DELAY_ROUNDS = 10;
/** The pairs of the second table: every class of way once or more. */
const DELAY_PAIRS = [
  ['open', 'open'],
  ['full-cone', 'full-cone'],
  ['restricted', 'port-restricted'],
  ['port-restricted', 'port-restricted'],
  ['port-restricted', 'symmetric sequential'],
  ['symmetric random', 'port-restricted'],
  ['symmetric random', 'symmetric random'],
  ['UDP blocked', 'port-restricted'],
  ['only TCP 443', 'port-restricted'],
  ['double NAT', 'double NAT'],
  ['IPv6 with firewall', 'IPv6 with firewall'],
] as const;

const progress = (cell: GridCell): void => {
  const { result } = cell;
  const outcome = result.connected ? `${result.firstPath} ${result.encryptedMs} ms, ${result.finalPath} ${result.finalMs} ms` : `NOT CONNECTED: ${result.reason}`;
  process.stdout.write(`${cell.lossPercent} % ${cell.controller} > ${cell.controlled}: ${outcome}\n`);
};

export async function benchGrid(docs: string, write: boolean): Promise<void> {
  const started = performance.now();
  const cells = await runGrid({ lossPercents: LOSSES, concurrency: 6, onCell: progress });
  const birthday = await benchBirthday();
  const seconds = Math.round((performance.now() - started) / 1000);
  const body = gridTable(cells, LOSSES);
  const summary = `${gridSummary(cells, LOSSES)}\n${birthdayLine(birthday)}`;
  process.stdout.write(`\n${summary}\n${seconds} s\n\n${body}\n`);
  if (write) writeFileSync(join(docs, 'nat-matrix.md'), document(summary, body, seconds));
}

export async function benchGridDelay(docs: string, write: boolean): Promise<void> {
  const cells = await runGrid({ pairs: DELAY_PAIRS, neighbours: [], delayMs: DELAY_MS, rounds: DELAY_ROUNDS, concurrency: 2, onCell: progress });
  const body = delayTable(cells);
  process.stdout.write(`\n${body}\n`);
  if (write) writeFileSync(join(docs, 'nat-delay.md'), delayDocument(body));
}

export interface PairsOptions {
  /** `controller>controlled`, by the names of places. */
  readonly pairs: readonly string[];
  readonly tries: number;
  readonly lossPercents: readonly number[];
}

/** Some pairs again and again, one after the other: how many of the tries go direct, and what the others tried. */
export async function benchPairs({ pairs, tries, lossPercents }: PairsOptions): Promise<void> {
  const split = pairs.map((pair) => pair.split('>') as [string, string]);
  const cells = await runGrid({ pairs: split, neighbours: [], lossPercents, rounds: tries, concurrency: 1 });
  for (const lossPercent of lossPercents)
    for (const [controller, controlled] of split) {
      const own = cells.filter((cell) => cell.controller === controller && cell.controlled === controlled && cell.lossPercent === lossPercent);
      const times = own.map(({ result }) => (result.connected && result.finalPath !== 'relay' ? result.finalMs : Infinity)).sort((a, b) => a - b);
      const direct = times.filter(Number.isFinite).length;
      const within = times.filter((ms) => ms <= BIRTHDAY_WITHIN_MS).length;
      process.stdout.write(
        `${lossPercent} % ${controller} > ${controlled}: ${direct} of ${own.length} direct, ${within} within ${BIRTHDAY_WITHIN_MS / 1000} s; ` +
          `median ${short(quantile(times, 0.5))} ms, worst ${short(times.at(-1) ?? Number.NaN)} ms\n`,
      );
      for (const { result } of own)
        if (!result.connected) process.stdout.write(`  not connected: ${result.reason}\n`);
        else if (result.finalPath === 'relay') process.stdout.write(`  relayed: ${result.reason}\n    ${result.attempts.join('\n    ')}\n`);
    }
}

async function benchBirthday(): Promise<BirthdayResult> {
  const cells = await runGrid({ pairs: [['symmetric random', 'port-restricted']], neighbours: [], rounds: BIRTHDAY_TRIES, concurrency: 1 });
  const times = cells.map(({ result }) => (result.connected && result.finalPath !== 'relay' ? result.finalMs : Infinity)).sort((a, b) => a - b);
  return {
    tries: times.length,
    withinMs: BIRTHDAY_WITHIN_MS,
    direct: times.filter((ms) => ms <= BIRTHDAY_WITHIN_MS).length,
    medianMs: quantile(times, 0.5),
    worstMs: times.at(-1) ?? Number.NaN,
  };
}

function document(summary: string, body: string, seconds: number): string {
  return `# Which networks are passed, and how

Written by \`npm run bench -- grid --write\` in ${seconds} s: one server, and for each kind of network one peer that connects and one
that is connected to, all separate processes in network namespaces, each behind Linux gateways of the kind named (e2e/natlab, whose
own tests prove that each kind maps and filters as its name says). Every kind against every other, without and with packets
lost at random. \`first\` is the path on which the first encrypted byte came, with the time from the call to the end of the key exchange;
\`final\` the path that the session moved to, with the time until something was acknowledged over it. Links are without delay;
[with delay](nat-delay.md). Two processors carry all of it at once, so single times are high by chance.

${summary}

${body}

- \`symmetric random\` gives each destination another public port at random, \`symmetric sequential\` the next one. \`UDP blocked\` is
  port-restricted for TCP. \`only TCP 443\` lets connections to that port out and nothing else; peers there use the server's single port.
  \`double NAT\` is a port-restricted gateway at home behind another one at the carrier. The gateways that open ports (Debian's miniupnpd)
  and the one beside IPv6 are symmetric random without that help.
- What the two stock clients do is measured with an open server, to a secured stream. Its symmetric NAT is the random one.
- Random ports are met by 256 sockets on the side of that NAT and guessed ports from the other; counted ones by prediction, over TCP too.
- Where no direct path exists the reason is that of the plan (src/core/nat/plan.ts), or what was seen to fail.
`;
}

function delayDocument(body: string): string {
  return `# Connecting over distance

Written by \`npm run bench -- grid-delay --write\`: as [the grid](nat-matrix.md), with 40 ms to the server and back and 60 ms between the
peers and back, added in user space on each network's cable. Milliseconds from the call: to the end of the key exchange on the first
path, and until something was acknowledged over a direct one.

${body}

Where they go, at the relay, by which a session begins unless an IPv6 path is there first:

| after | what has come, 20 ms to the server and 40 ms through it to the other peer | |
|---|---|---|
| 40 | the connection to the server stands; beside it a place at the relay is taken, from 8 ms on, as the server is not near | TCP, controller and server |
| 80 | the push is at the controlled side, the host's signed key at the controller | |
| 120 | the host's offer is at the controller: the host was at the relay with its first datagram, or with the connection that it had parked, and the offer right behind | over TCP dialled anew: 160 |
| 160 | the controller's answer, its proof and its first record are at the host | |
| 200 | the host's proof is at the controller: the key exchange is done | over TCP: 240 |

The rest is processor time of three processes and the forwarder. Without delay the order of these is by chance.
`;
}
