import { expect, it } from 'vitest';
import { AddressCredit } from './address-credit.ts';

const LIMITS = { udpCreditSlots: 1 << 12, udpCreditBytes: 1_000, udpUnprovenPushBytes: 200 };

it('gives an address as many bytes as came from it, and no more', () => {
  const credit = new AddressCredit(LIMITS);
  expect(credit.spend('192.0.2.1', 1)).toBe(false);
  credit.earn('192.0.2.1', 10);
  expect(credit.spend('192.0.2.2', 1)).toBe(false);
  expect(credit.spend('192.0.2.1', 7)).toBe(true);
  expect(credit.spend('192.0.2.1', 7)).toBe(false);
  expect(credit.spend('192.0.2.1', 3)).toBe(true);
});

it('does not let an address save up without end', () => {
  const credit = new AddressCredit(LIMITS);
  for (let i = 0; i < 1_000; i++) credit.earn('192.0.2.1', 65_000);
  expect(credit.spend('192.0.2.1', 1_000)).toBe(true);
  expect(credit.spend('192.0.2.1', 1)).toBe(false);
});

it('lets who asks for a push pay for it, up to a bound', () => {
  const credit = new AddressCredit(LIMITS);
  let sent = 0;
  for (let i = 0; i < 100; i++) if (credit.spendPush('192.0.2.1', 40, 80)) sent += 40;
  expect(sent).toBe(200);
  // What is longer than its request needs the address' own credit too.
  expect(credit.spendPush('192.0.2.2', 100, 90)).toBe(false);
  credit.earn('192.0.2.2', 10);
  expect(credit.spendPush('192.0.2.2', 100, 90)).toBe(true);
});

it('trusts a proven address for a while', () => {
  const credit = new AddressCredit(LIMITS);
  credit.prove('2001:db8::1');
  expect(credit.isProven('2001:db8::1')).toBe(true);
  expect(credit.isProven('2001:db8::2')).toBe(false);
  for (let i = 0; i < 100; i++) expect(credit.spend('2001:db8::1', 1_400)).toBe(true);
  expect(credit.spendPush('2001:db8::1', 1_400, 0)).toBe(true);
  credit.age();
  expect(credit.isProven('2001:db8::1')).toBe(false);
  expect(credit.spend('2001:db8::1', 1_000)).toBe(true);
  expect(credit.spend('2001:db8::1', 1)).toBe(false);
});

it('never gives more than it got over many addresses that share its places', () => {
  const credit = new AddressCredit({ ...LIMITS, udpCreditSlots: 128 });
  const got = new Map<string, number>();
  const given = new Map<string, number>();
  for (let i = 0; i < 20_000; i++) {
    const host = `10.0.${i % 7}.${i % 37}`;
    credit.earn(host, 3);
    got.set(host, (got.get(host) ?? 0) + 3);
    if (credit.spend(host, 7)) given.set(host, (given.get(host) ?? 0) + 7);
  }
  expect(given.size).toBeGreaterThan(10);
  for (const [host, bytes] of given) expect(bytes).toBeLessThanOrEqual(got.get(host) ?? 0);
});

it('keeps 100,000 addresses apart, and those who have saved up from a flood of others', () => {
  const credit = new AddressCredit({ ...LIMITS, udpCreditSlots: 1 << 19 });
  const hosts = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  for (const host of hosts) credit.earn(host, 60);
  for (let i = 0; i < 100_000; i++) credit.earn(`172.16.${(i >> 8) & 255}.${i & 255}`, 5);
  expect(hosts.filter((host) => credit.spend(host, 60)).length).toBeGreaterThan(90_000);
});
