/** The self-test of a process that is only a relay: it joins two connections that show its own tickets. */
import { randomBytes } from 'node:crypto';
import { openTcpProbe, type ProbeChannel, relayUuid } from '../../net/probe/index.ts';
import { sameBytes } from '../peer-table.ts';
import { CONTROLLED, CONTROLLER, sealTicket } from '../tickets.ts';
import { type SelfTest, StageFailed } from './ready.ts';

/** For one connection to ourselves; the whole test has its own limit. */
const TIMEOUT_MS = 3_000;

export interface RelayTestTarget {
  readonly host: string;
  readonly relayPort: number;
  readonly licenceKey: string;
  readonly secretKey: Uint8Array;
}

export function createRelayTest({ host, relayPort, licenceKey, secretKey }: RelayTestTarget): SelfTest {
  return async (onStage, signal) => {
    onStage('relay');
    const uuid = relayUuid();
    const ends: ProbeChannel[] = [];
    try {
      for (const side of [CONTROLLER, CONTROLLED] as const) {
        const end = await openTcpProbe({ host, port: relayPort }, { signal, timeoutMs: TIMEOUT_MS });
        ends.push(end);
        end.send({ requestRelay: { uuid, licenceKey, relayTicket: sealTicket({ uuid, side }, secretKey, Date.now()) } });
      }
      const [one, two] = ends;
      const said = new Uint8Array(randomBytes(32));
      one?.sendPayload(said);
      if (!two || !sameBytes(await two.nextPayload(signal), said))
        throw new StageFailed('relay', 'The relay changed what it carried.');
    } finally {
      for (const end of ends) end.close();
    }
  };
}
