/** Whether the gateway opens ports when it is asked to: a port is opened and closed again. */
import { join } from 'node:path';
import { LiteDeskError } from '../../core/errors.ts';
import { type MappingVia, noPortMapping, PortMapper, type PortMapReport, portRefused } from '../../net/portmap/index.ts';
import { UdpProbe } from '../../net/probe/index.ts';
import { type Finding, findingOf, ok, skip, warn } from './check.ts';
import { doubleNat, silent } from './errors.ts';

const NAMES: Readonly<Record<MappingVia, string>> = { pcp: 'PCP', 'nat-pmp': 'NAT-PMP', upnp: 'UPnP' };

/** A gateway that opens ports answers in milliseconds; one that repeats itself over Wi-Fi in a second or two. */
const WAIT_MS = 6_000;

/** The test from here: with a free port, held while it is open at the gateway. Never rejects. */
export async function testPortMapping(dataDir: string, signal: AbortSignal): Promise<Finding> {
  try {
    const socket = await UdpProbe.open({ host: '0.0.0.0', port: 0 });
    try {
      const mapper = new PortMapper({ stateFile: join(dataDir, 'open-ports.json') });
      return await checkPortMapping(mapper, socket.port, signal, AbortSignal.timeout(WAIT_MS));
    } finally {
      socket.close();
    }
  } catch (error) {
    return findingOf(error, silent('The gateway', ''), signal);
  }
}

/**
 * Opens `port` for UDP by the mapper, and stops it. What has not answered when `late` aborts does not count; `signal` is the
 * user's interruption. Never rejects.
 */
export async function checkPortMapping(mapper: PortMapper, port: number, signal: AbortSignal, late: AbortSignal): Promise<Finding> {
  try {
    const mapping = await mapper.map('udp', port, AbortSignal.any([signal, late]));
    await untilLate(mapper.probe(), late);
    const report = mapper.report();
    const gateway = report.gateway ?? '';
    if (mapping.doubleNat) return warn(doubleNat(gateway, mapping.externalAddress));
    const others = workingIn(report).filter((via) => via !== mapping.via);
    const also = others.length > 0 ? ` (it also speaks ${others.map((via) => NAMES[via]).join(' and ')})` : '';
    return ok(`The gateway ${gateway} opens ports by ${NAMES[mapping.via]}${also}; its address outside is ${mapping.externalAddress}.`);
  } catch (error) {
    if (error instanceof LiteDeskError) {
      if (error.code === 'PORT_MAP_REFUSED') return warn(error);
      if (error.code !== 'ABORTED') return skip(error.message, error.hint);
      if (!signal.aborted) return lateFinding(mapper.report());
    }
    return findingOf(error, silent('The gateway', ''), signal);
  } finally {
    await mapper.stop();
  }
}

/** What is known although some protocols may still answer. */
function lateFinding({ gateway, protocols }: PortMapReport): Finding {
  const reasons = (Object.keys(protocols) as MappingVia[]).flatMap((via) =>
    protocols[via].state === 'refused' ? [{ via, reason: protocols[via].reason }] : [],
  );
  if (reasons.length > 0) return warn(portRefused(gateway ?? '', reasons));
  const silence = noPortMapping(gateway ?? '');
  return skip(silence.message, silence.hint);
}

function workingIn({ protocols }: PortMapReport): MappingVia[] {
  return (Object.keys(protocols) as MappingVia[]).filter((via) => protocols[via].state === 'works');
}

/** Waits for `work`, or until it is late; what fails does not matter. */
function untilLate(work: Promise<unknown>, late: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      late.removeEventListener('abort', done);
      resolve();
    };
    late.addEventListener('abort', done, { once: true });
    if (late.aborted) done();
    work.then(done, done);
  });
}
