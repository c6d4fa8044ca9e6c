/** What Debian's clients say to the services of services.ts, and must hear back, by whatever way they are reached. */
import { expect } from 'vitest';
import type { TunnelWorld } from './tunnel-world.ts';

interface Place {
  readonly host: string;
  readonly port: number;
}

/** 3 MB to a program there, whose digest and exit code come back. */
export async function expectSsh(world: TunnelWorld, { host, port }: Place, key: string): Promise<void> {
  const options = ['BatchMode=yes', 'StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];
  const ssh = `ssh -p ${port} -i ${key} ${options.map((option) => `-o ${option}`).join(' ')} root@${host}`;
  const file = '/tmp/$$.in';
  const done = await world.shell(
    `head -c 3000000 /dev/urandom > ${file}; md5sum < ${file}; ${ssh} md5sum < ${file}; ${ssh} 'exit 7'; echo $?; rm ${file}`,
  );
  const [sent, received, code] = done.stdout.split('\n');
  expect({ received, code }, done.stderr).toEqual({ received: sent, code: '7' });
}

/** A query whose answer is made of 100,000 rows. */
export async function expectPsql(world: TunnelWorld, { host, port }: Place): Promise<void> {
  const query = "select sum(n), md5(string_agg(n::text, ',')) from generate_series(1, 100000) n";
  const answer = await world.run('psql', ['-h', host, '-p', String(port), '-U', 'postgres', '-Atc', query]);
  expect(answer.stdout.trim(), answer.stderr).toMatch(/^5000050000\|[0-9a-f]{32}$/);
}
