// UDP punching and KCP as the specification has them (§10), just enough for one small message each way: the endpoint's
// header of 14 bytes, its handshake, and single KCP segments of 24 bytes.
import { randomInt } from 'node:crypto';

const SYN = 0x01;
const ACK = 0x02;
const DATA = 0x08;
const PUSH = 81;
const KCP_ACK = 82;

function packet(conv, flags, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(14);
  head.writeUInt32LE(conv, 0);
  head[12] = flags;
  return Buffer.concat([head, payload]);
}

function segment(conv, cmd, ts, sn, una, data = Buffer.alloc(0)) {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(conv, 0);
  head[4] = cmd;
  head.writeUInt16LE(1024, 6);
  head.writeUInt32LE(ts, 8);
  head.writeUInt32LE(sn, 12);
  head.writeUInt32LE(una, 16);
  head.writeUInt32LE(data.length, 20);
  return Buffer.concat([head, data]);
}

/**
 * Punches from `socket` (bound) to `peer`, makes a KCP connection, sends `words` and resolves with what the other side
 * sent. Rejects after `limitMs`.
 */
export function converse({ socket, peer, active, words, limitMs = 20_000 }) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const now = () => Math.floor(performance.now() - started);
    const timers = new Set();
    let conv = active ? randomInt(1, 2 ** 32 - 1) : 0;
    let state = 'punching';
    let heard = null;
    let acknowledged = false;
    const finish = (error) => {
      for (const timer of timers) clearTimeout(timer);
      socket.off('message', onMessage);
      if (error) reject(error);
      else resolve(heard);
    };
    const later = (ms, fn) => timers.add(setTimeout(fn, ms));
    const send = (data) => socket.send(data, peer.port, peer.host, () => {});
    // Empty datagrams at 0, 20, 30, 45, 67, 100, 150, 200 ms and so on.
    const punch = (interval) => {
      if (state !== 'punching') return;
      send(Buffer.alloc(0));
      later(interval, () => punch(Math.min(Math.trunc(interval * 1.5), 200)));
    };
    const say = () => {
      if (acknowledged) return;
      send(packet(conv, ACK | DATA, segment(conv, PUSH, now(), 0, heard === null ? 0 : 1, Buffer.from(words))));
      later(200, say);
    };
    const established = () => {
      if (state === 'established') return;
      state = 'established';
      say();
    };
    const onMessage = (data) => {
      if (state === 'punching') {
        if (active) {
          // Any datagram, even an empty one; the SYN goes out once.
          state = 'syn-sent';
          return send(packet(conv, SYN));
        }
        if (data.length === 0) return;
        state = 'listening';
      }
      if (data.length < 14) return;
      const flags = data[12] & 0x1f;
      if (state === 'listening' && flags === SYN) {
        conv = data.readUInt32LE(0);
        state = 'syn-received';
        return send(packet(conv, SYN | ACK));
      }
      if (data.readUInt32LE(0) !== conv) return;
      if (state === 'syn-sent' && flags === (SYN | ACK)) {
        send(packet(conv, ACK | DATA));
        return established();
      }
      if (flags !== (ACK | DATA)) return;
      if (state === 'syn-received') established();
      for (let at = 14; at + 24 <= data.length; ) {
        const cmd = data[at + 4];
        const length = data.readUInt32LE(at + 20);
        if (cmd === PUSH) {
          heard = data.subarray(at + 24, at + 24 + length).toString();
          send(packet(conv, ACK | DATA, segment(conv, KCP_ACK, data.readUInt32LE(at + 8), data.readUInt32LE(at + 12), 1)));
        }
        if (cmd === KCP_ACK) acknowledged = true;
        at += 24 + length;
      }
      if (heard !== null && acknowledged) later(50, () => finish());
    };
    socket.on('message', onMessage);
    socket.on('error', finish);
    later(limitMs, () => finish(new Error(`UDP: nothing after ${limitMs} ms (${state})`)));
    punch(20);
  });
}
