import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../core/clock.ts';
import {
  AdmissionGate,
  admissionKey,
  MAX_STRANGERS,
  MAX_STRANGERS_PER_ADDRESS,
  MAX_WAITING_PER_ADDRESS,
  PLACE_WAIT_MS,
} from './admission.ts';

/** Fills all places, eight from each address. */
function fill(gate: AdmissionGate, evicted: string[]): void {
  for (let n = 0; n < MAX_STRANGERS; n++) {
    const host = `198.51.100.${Math.floor(n / MAX_STRANGERS_PER_ADDRESS)}`;
    expect(gate.admit(host, () => evicted.push(`${host} #${n % MAX_STRANGERS_PER_ADDRESS}`))).not.toBeNull();
  }
}

describe('AdmissionGate', () => {
  it('gives one address a few places and takes them back', () => {
    const gate = new AdmissionGate();
    const places = Array.from({ length: MAX_STRANGERS_PER_ADDRESS }, () => gate.admit('192.0.2.1', () => {}));
    expect(gate.admit('192.0.2.1', () => {})).toBeNull();
    expect(gate.admit('::ffff:192.0.2.1', () => {})).toBeNull();
    expect(gate.admit('192.0.2.2', () => {})).not.toBeNull();
    places[3]?.release();
    places[3]?.release();
    expect(gate.size).toBe(MAX_STRANGERS_PER_ADDRESS);
    expect(gate.admit('192.0.2.1', () => {})).not.toBeNull();
    expect(gate.admit('192.0.2.1', () => {})).toBeNull();
  });

  it('lets a newcomer in when it is full, at the cost of the address that has most', () => {
    const gate = new AdmissionGate();
    const evicted: string[] = [];
    fill(gate, evicted);
    expect(gate.admit('192.0.2.9', () => {})).not.toBeNull();
    expect(evicted).toEqual(['198.51.100.0 #0']);
    expect(gate.size).toBe(MAX_STRANGERS);
  });

  it('never exceeds its bound, whoever comes', () => {
    const gate = new AdmissionGate();
    let open = 0;
    for (let n = 0; n < 10_000; n++) {
      const place = gate.admit(`203.0.${(n * 7) % 256}.${n % 256}`, () => open--);
      if (place) open++;
      expect(gate.size).toBeLessThanOrEqual(MAX_STRANGERS);
      expect(open).toBe(gate.size);
    }
  });

  it('lets those wait that come many at once, each until somebody of that address has logged in', async () => {
    const clock = new VirtualClock();
    const gate = new AdmissionGate(clock);
    const { signal } = new AbortController();
    const all = Array.from({ length: MAX_STRANGERS_PER_ADDRESS + MAX_WAITING_PER_ADDRESS }, () => gate.admitSoon('192.0.2.1', () => {}, signal));
    expect(await gate.admitSoon('192.0.2.1', () => {}, signal)).toBeNull();
    expect(await gate.admitSoon('192.0.2.2', () => {}, signal)).not.toBeNull();
    for (const place of all) (await place)?.release();
    expect(gate.size).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('lets nobody wait for ever', async () => {
    const clock = new VirtualClock();
    const gate = new AdmissionGate(clock);
    const abort = new AbortController();
    const come = () => gate.admitSoon('192.0.2.1', () => {}, abort.signal);
    await Promise.all(Array.from({ length: MAX_STRANGERS_PER_ADDRESS }, come));
    const late = come();
    clock.advance(PLACE_WAIT_MS);
    expect(await late).toBeNull();
    const stopped = come();
    abort.abort();
    expect(await stopped).toBeNull();
    expect(clock.pending).toBe(0);
  });

  it('counts an IPv6 /64 as one address', () => {
    expect(admissionKey('2001:db8:1:2:3:4:5:6')).toBe(admissionKey('2001:0db8:1:2::9'));
    expect(admissionKey('2001:db8:1:2::1')).not.toBe(admissionKey('2001:db8:1:3::1'));
    expect(admissionKey('2001:db8::1')).toBe('2001:db8:0:0');
    expect(admissionKey('::1')).toBe('0:0:0:0');
  });
});
