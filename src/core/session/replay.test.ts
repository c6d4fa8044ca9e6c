/** Plays the stock end of every recorded session against our own end of it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { VirtualClock } from '../clock.ts';
import { randomText } from '../crypto/password.ts';
import type { RandomBytes } from '../crypto/random.ts';
import { memoryLinkPair } from '../memory-link.ts';
import { decodeMessage, encodeMessage, hbb } from '../wire/proto.ts';
import { HostAuthenticator } from './authenticator.ts';
import { ControllerSession } from './controller-session.ts';
import {
  ALL_PERMISSIONS,
  FakeDesktop,
  messageName,
  recordController,
  recordHost,
  seededRandom,
  Talker,
} from './fixtures.ts';
import { HostSession } from './host-session.ts';

interface Step {
  from: 'controller' | 'controlled' | 'server';
  transport: string;
  ms: number;
  hex: string;
  plain?: string;
  peer?: string;
  decoded: Record<string, unknown> & { raw?: boolean };
}
interface Recording {
  name: string;
  password?: string;
  host_id?: string;
  steps: Step[];
  frames?: Step[];
}
interface Said {
  from: 'controller' | 'controlled';
  raw: boolean;
  bytes: Uint8Array;
  message: hbb.Message;
}

const folder = join(import.meta.dirname, '../../../test/vectors/session');
const recordings = readdirSync(folder)
  // punch-* are packet captures of two stock ends: nothing of the session is readable in them.
  .filter((file) => file.endsWith('.json') && !file.startsWith('punch-'))
  .map((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as Recording);

/** The session part: from `hash` on, in the clear. */
function said(recording: Recording): Said[] {
  const result: Said[] = [];
  for (const step of recording.frames ?? recording.steps) {
    if (step.peer || step.from === 'server' || step.transport === 'udp') continue;
    if (!step.decoded || 'signed_id' in step.decoded || 'public_key' in step.decoded) continue;
    const raw = step.decoded.raw === true;
    const whole = Buffer.from(step.plain ?? step.hex, 'hex');
    // Clear frames still have their length prefix (session §0.1).
    const bytes = new Uint8Array(
      step.plain === undefined && !raw ? whole.subarray(((whole[0] ?? 0) & 3) + 1) : whole,
    );
    if (bytes.length === 0 || raw) {
      if (raw) result.push({ from: step.from, raw, bytes, message: decodeMessage(new Uint8Array()) });
      continue;
    }
    result.push({ from: step.from, raw, bytes, message: decodeMessage(bytes) });
  }
  return result.some(({ message }) => message.union === 'hash') ? result : [];
}

/** Kinds whose place in the order is free (README of the vectors), or which are the recorded machine's own matter. */
const FREE = new Set([
  'testDelay',
  'videoFrame',
  'cursorData',
  'cursorId',
  'peerInfo',
  'misc.permissionInfo',
  'misc.switchDisplay',
]);
const inOrder = (messages: readonly hbb.Message[]): string[] =>
  messages.map(messageName).filter((name) => !FREE.has(name));
const only = (messages: readonly Said[], from: Said['from']): hbb.Message[] =>
  messages.filter((entry) => entry.from === from && !entry.raw).map(({ message }) => message);

/** A random source for which `randomText(random, challenge.length)` gives the recorded challenge. */
function randomFor(text: string): RandomBytes {
  const fallback = seededRandom(5);
  const alphabet = '23456789abcdefghijkmnpqrstuvwxyz';
  let given = false;
  return (count) => {
    if (given || count !== text.length) return fallback(count);
    given = true;
    return Uint8Array.from([...text].map((character) => alphabet.indexOf(character)));
  };
}

const sessions = recordings
  .map((recording) => ({ recording, talk: said(recording) }))
  .filter(({ talk }) => talk.length > 0);

test('there are recordings of both roles', () => {
  expect(sessions.length).toBeGreaterThanOrEqual(14);
  expect(randomText(randomFor('a4n8cw'), 6)).toBe('a4n8cw');
});

test.each(sessions.map(({ recording, talk }) => [recording.name, recording, talk] as const))(
  '%s: our host answers the recorded controller with the same kinds in the same order',
  async (name, recording, talk) => {
    const clock = new VirtualClock();
    const hash = talk.find(({ message }) => message.union === 'hash')?.message.hash;
    // The one-time password takes random bytes too; the challenge must be the recorded one.
    const authenticator = new HostAuthenticator({
      clock,
      random: seededRandom(2),
      salt: hash?.salt ?? '',
      approveMode: 'both',
    });
    authenticator.challenge = () => hash?.challenge ?? '';
    const wrong = talk.some(({ message }) => message.loginResponse?.error === 'Wrong Password');
    authenticator.setPermanentPassword(wrong ? 'something else' : (recording.password ?? null));
    const [link, other] = memoryLinkPair();
    const refused = name.includes('refused');
    const host = new HostSession({
      link,
      clock,
      random: seededRandom(3),
      ownId: recording.host_id ?? '',
      authenticator,
      permissions: ALL_PERMISSIONS,
      desktop: new FakeDesktop(),
      hostInfo: { hostname: 'lab-b', username: 'user', platform: 'Linux' },
      onPortForward: async () => {
        if (refused) throw new Error('refused');
        return { start: () => {}, cancel: () => {} };
      },
    });
    const events = recordHost(host);
    const stock = new Talker(other);
    host.start();
    for (const entry of talk)
      if (entry.from === 'controller' && !entry.raw) {
        stock.link.send(entry.bytes);
        await Promise.resolve();
        await Promise.resolve();
      }
    const expected = inOrder(only(talk, 'controlled'));
    const login = talk.find(({ message }) => message.union === 'loginRequest')?.message.loginRequest;
    if (login?.fileTransfer) {
      // We offer no file manager: the recorded host's answers are replaced by the refusal.
      expect(stock.names.at(-1)).toBe('loginResponse.error');
      expect(events.of('closed')[0]).toMatchObject({
        by: 'refused',
        reason: 'No permission of file transfer',
      });
    } else {
      // Chat and clipboard of the recorded host's user, and its own closing, are not answers.
      expect(inOrder(stock.received)).toEqual(expected.filter((kind) => kind !== 'misc.closeReason'));
      const opens = expected.includes('loginResponse.peerInfo');
      expect(events.of('opened')).toHaveLength(opens ? 1 : 0);
      if (events.of('raw').length === 0 && stock.names.includes('loginResponse.peerInfo'))
        expect(events.of('opened')[0]?.kind).toBe('desktop');
    }
    host.disconnect();
    expect(clock.pending).toBe(0);
  },
);

// Two recordings end before a login: those stock controllers stopped at a signature they could not trust.
const logins = sessions.filter(({ talk }) => talk.some(({ message }) => message.union === 'loginRequest'));

test.each(logins.map(({ recording, talk }) => [recording.name, recording, talk] as const))(
  '%s: our controller follows the recorded host with the same login and echoes',
  (_name, recording, talk) => {
    const clock = new VirtualClock();
    const login = talk.find(({ message }) => message.union === 'loginRequest')?.message.loginRequest;
    const [link, other] = memoryLinkPair();
    let raw = false;
    const controller = new ControllerSession({
      link,
      clock,
      random: seededRandom(3),
      peerId: login?.username ?? '',
      myId: login?.myId ?? '',
      myName: login?.myName ?? '',
      platform: login?.myPlatform ?? '',
      sessionId: login?.sessionId ?? 0n,
      kind: login?.fileTransfer ? 'file-transfer' : login?.portForward ? 'port-forward' : 'desktop',
      portForward: { host: login?.portForward?.host ?? '', port: login?.portForward?.port ?? 0 },
      password: recording.password,
      decoding: { vp8: true, vp9: true, av1: true, h264: false },
      onRawMode: () => {
        raw = true;
      },
    });
    const events = recordController(controller);
    const stock = new Talker(other);
    controller.start();
    for (const entry of talk) if (entry.from === 'controlled' && !entry.raw) other.send(entry.bytes);

    const ours = stock.last('loginRequest') as hbb.LoginRequest;
    // Options, version, the empty os_login and the directory to list are each client's own choice.
    const same = ({
      username,
      myId,
      myName,
      myPlatform,
      sessionId,
      portForward,
      union,
    }: hbb.LoginRequest): unknown => ({ username, myId, myName, myPlatform, sessionId, portForward, union });
    expect(same(ours)).toEqual(same(login as hbb.LoginRequest));
    const answer = talk.find(({ message }) => message.union === 'loginResponse')?.message.loginResponse;
    if (answer?.error !== 'Wrong Password' && recording.password !== undefined)
      expect(ours.password).toEqual(login?.password);

    const delays = only(talk, 'controlled').filter(({ union }) => union === 'testDelay');
    const echoes = stock.received.filter(({ union }) => union === 'testDelay');
    if (answer?.peerInfo && !login?.portForward) {
      expect(events.of('opened')[0]).toMatchObject({
        hostname: answer.peerInfo.hostname,
        platform: answer.peerInfo.platform,
      });
      expect(echoes.map((message) => Buffer.from(encodeMessage(message)).toString('hex'))).toEqual(
        delays.map((message) => Buffer.from(encodeMessage(message)).toString('hex')),
      );
    }
    expect(raw).toBe(
      login?.portForward !== undefined &&
        login.portForward !== null &&
        answer?.peerInfo !== null &&
        answer?.peerInfo !== undefined,
    );
    const pictures = only(talk, 'controlled').filter(({ union }) => union === 'videoFrame');
    if (!login?.fileTransfer) expect(events.of('video')).toHaveLength(pictures.length);
    const shapes = only(talk, 'controlled').filter(({ union }) => union === 'cursorData');
    expect(events.of('cursor')).toHaveLength(shapes.length);
    for (const shape of events.of('cursor')) expect(shape.rgba).toHaveLength(shape.width * shape.height * 4);
    if (answer?.error === 'Wrong Password') expect(events.of('password-needed')[0]?.reason).toBe('wrong');
    controller.close();
    expect(clock.pending).toBe(0);
  },
);
