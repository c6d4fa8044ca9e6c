import { expect, test } from 'vitest';
import { gatewayFromProc, gatewayFromTable } from './gateway.ts';

const HEAD = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n';
const row = (iface: string, destination: string, gateway: string, flags: string, metric: number, mask: string): string =>
  `${iface}\t${destination}\t${gateway}\t${flags}\t0\t0\t${metric}\t${mask}\t0\t0\t0\n`;

test('/proc/net/route: the default route of least metric that has a gateway', () => {
  const lan = row('eth0', '0001A8C0', '00000000', '0001', 100, '00FFFFFF');
  const wifi = row('wlan0', '00000000', '0102A8C0', '0003', 600, '00000000');
  const wire = row('eth0', '00000000', '0101A8C0', '0003', 100, '00000000');
  expect(gatewayFromProc(HEAD + lan + wifi + wire)).toBe('192.168.1.1');
  expect(gatewayFromProc(HEAD + wifi + lan)).toBe('192.168.2.1');
  // A tunnel without a gateway, a route that is down, half of the Internet.
  expect(gatewayFromProc(HEAD + row('tun0', '00000000', '00000000', '0001', 0, '00000000'))).toBeNull();
  expect(gatewayFromProc(HEAD + row('eth0', '00000000', '0101A8C0', '0002', 0, '00000000'))).toBeNull();
  expect(gatewayFromProc(HEAD + row('tun0', '00000000', '0101A8C0', '0003', 0, '00000080'))).toBeNull();
  expect(gatewayFromProc('')).toBeNull();
  expect(gatewayFromProc('nonsense\n\0\n'.repeat(50))).toBeNull();
});

test('tables of macOS and Windows', () => {
  expect(
    gatewayFromTable(`Routing tables

Internet:
Destination        Gateway            Flags               Netif Expire
default            link#18            UCSIg               utun4
default            192.168.1.1        UGScg                 en0
127                127.0.0.1          UCS                   lo0
`),
  ).toBe('192.168.1.1');
  expect(
    gatewayFromTable(
      `IPv4 Route Table\r\n===\r\nActive Routes:\r\nNetwork Destination        Netmask          Gateway       Interface  Metric\r\n          0.0.0.0          0.0.0.0      192.168.7.1    192.168.7.20     25\r\n===\r\n`,
    ),
  ).toBe('192.168.7.1');
  expect(gatewayFromTable('0.0.0.0  0.0.0.0  On-link  10.0.0.1  25')).toBeNull();
  expect(gatewayFromTable('default 999.1.1.1 UG')).toBeNull();
});
