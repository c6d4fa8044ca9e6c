/**
 * Plain connections to a rendezvous server or relay for tests of it: nothing is skipped or interpreted, so that a test sees
 * what really came. Peers use RendezvousConnection instead.
 */
import { randomBytes } from 'node:crypto';
import { isIPv6, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { LiteDeskError } from '../../core/errors.ts';
import { decodeRendezvous, encodeFrame, encodeRendezvous, FrameDecoder, type HostPort, type hbb } from '../../core/wire/index.ts';
import { formatHostPort, plainAddress } from '../endpoint.ts';
import { abortError, dialError, dialTimeout } from '../errors.ts';
import { dialTcp } from '../tcp.ts';
import { Inbox } from './inbox.ts';

export interface ProbeChannel {
  readonly local: HostPort;
  /** ms until it was open. */
  readonly openMs: number;
  /** What the certificate of a TLS connection says; null without TLS. */
  readonly tls: { readonly protocol: string; readonly validTo: string } | null;
  /** Sends one payload: a frame, or a WebSocket message. */
  sendPayload(payload: Uint8Array): void;
  send(message: hbb.IRendezvousMessage): void;
  /** The next payload as it came. Rejects when the other side closes (PROBE_CLOSED) or with ABORTED. */
  nextPayload(signal: AbortSignal): Promise<Uint8Array>;
  /** The next message that `pick` takes; others, and what is no message, are passed over. */
  next<T>(pick: (message: hbb.RendezvousMessage) => T | null | undefined, signal: AbortSignal): Promise<T>;
  /** Ends it at once. */
  close(): void;
}

export interface ProbeOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly localPort?: number | undefined;
  /** Dials from a port that can be dialled from again. */
  readonly reusable?: boolean | undefined;
  /** Speaks TLS first, with this name; certificates are checked as browsers do. */
  readonly tlsName?: string | undefined;
  /** Any certificate will do: the server's key is what counts. */
  readonly anyCertificate?: boolean | undefined;
}

/** Payloads of a server under test; an online list is the largest. */
const MAX_PAYLOAD = 1024 * 1024;

function closedError(target: string): LiteDeskError {
  return new LiteDeskError({
    code: 'PROBE_CLOSED',
    stage: 'server',
    message: `${target} closed the connection without an answer.`,
    hint: 'It may be another program, or a server that refuses this request; its log names the reason.',
  });
}

function wrap(
  inbox: Inbox<Uint8Array>,
  parts: Pick<ProbeChannel, 'local' | 'openMs' | 'tls' | 'sendPayload' | 'close'>,
): ProbeChannel {
  return {
    ...parts,
    send: (message) => parts.sendPayload(encodeRendezvous(message)),
    nextPayload: (signal) => inbox.next(signal),
    next: async (pick, signal) => {
      for (;;) {
        const picked = pickFrom(await inbox.next(signal), pick);
        if (picked !== null && picked !== undefined) return picked;
      }
    },
  };
}

function pickFrom<T>(payload: Uint8Array, pick: (message: hbb.RendezvousMessage) => T | null | undefined): T | null | undefined {
  try {
    return pick(decodeRendezvous(payload));
  } catch {
    return null;
  }
}

/** A framed TCP connection (rendezvous §2), over TLS when asked. Throws as dialTcp does, or TLS_FAILED. */
export async function openTcpProbe(target: HostPort, options: ProbeOptions): Promise<ProbeChannel> {
  const started = performance.now();
  const { signal, timeoutMs, localPort, reusable, tlsName } = options;
  const raw = await dialTcp({
    host: target.host,
    port: target.port,
    timeoutMs,
    signal,
    ...(localPort ? { localPort } : {}),
    ...(reusable ? { reusable: true } : {}),
  });
  const socket = tlsName === undefined ? raw : await startTls(raw, tlsName, target, options);
  const inbox = new Inbox<Uint8Array>();
  const decoder = new FrameDecoder({ maxPayload: MAX_PAYLOAD });
  const name = formatHostPort(target);
  socket.on('data', (chunk: Uint8Array) => {
    try {
      for (const payload of decoder.push(chunk)) inbox.push(payload);
    } catch (cause) {
      inbox.end(notOurs(name, cause));
      socket.destroy();
    }
  });
  socket.on('error', (error) => inbox.end(dialError(error, name, 'server')));
  socket.on('end', () => inbox.end(closedError(name)));
  socket.on('close', () => inbox.end(closedError(name)));
  return wrap(inbox, {
    local: { host: plainAddress(raw.localAddress ?? ''), port: raw.localPort ?? 0 },
    openMs: performance.now() - started,
    tls: 'getProtocol' in socket ? certificateOf(socket as TLSSocket) : null,
    sendPayload: (payload) => void (socket.destroyed || socket.write(encodeFrame(payload))),
    close: () => void socket.destroy(),
  });
}

/** A WebSocket, one binary message a payload. Throws WS_FAILED, ABORTED, TCP_TIMEOUT. */
export async function openWsProbe(url: string, options: ProbeOptions): Promise<ProbeChannel> {
  const started = performance.now();
  const { signal, timeoutMs } = options;
  if (signal.aborted) throw abortError(signal, 'server');
  const ws = new WebSocket(url, {
    handshakeTimeout: timeoutMs,
    maxPayload: MAX_PAYLOAD,
    perMessageDeflate: false,
    rejectUnauthorized: options.anyCertificate !== true,
  });
  const inbox = new Inbox<Uint8Array>();
  ws.on('message', (data, isBinary) => {
    if (isBinary) inbox.push(data as Buffer);
  });
  ws.on('close', () => inbox.end(closedError(url)));
  await new Promise<void>((resolve, reject) => {
    const settle = (done: () => void): void => {
      signal.removeEventListener('abort', abort);
      done();
    };
    const abort = (): void => settle(() => {
      ws.terminate();
      reject(abortError(signal, 'server'));
    });
    signal.addEventListener('abort', abort, { once: true });
    ws.once('open', () => settle(resolve));
    ws.on('error', (cause) => {
      inbox.end(closedError(url));
      settle(() => reject(webSocketError(url, cause)));
    });
  });
  return wrap(inbox, {
    local: { host: '', port: 0 },
    openMs: performance.now() - started,
    tls: null,
    sendPayload: (payload) => void (ws.readyState === ws.OPEN && ws.send(payload)),
    close: () => ws.terminate(),
  });
}

function startTls(raw: Socket, name: string, target: HostPort, options: ProbeOptions): Promise<TLSSocket> {
  const { signal, timeoutMs, anyCertificate } = options;
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: raw,
      rejectUnauthorized: anyCertificate !== true,
      ...(isIPv6(name) || /^[\d.]+$/.test(name) ? {} : { servername: name }) });
    const settle = (done: () => void): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      socket.off('error', failed);
      done();
    };
    const fail = (error: Error): void => settle(() => {
      socket.on('error', () => {}).destroy();
      reject(error);
    });
    const abort = (): void => fail(abortError(signal, 'server'));
    const failed = (cause: Error): void => fail(tlsError(formatHostPort(target), cause));
    const timer = setTimeout(() => fail(dialTimeout(formatHostPort(target), 'server')), timeoutMs);
    signal.addEventListener('abort', abort, { once: true });
    socket.on('error', failed);
    socket.once('secureConnect', () => settle(() => resolve(socket)));
  });
}

function certificateOf(socket: TLSSocket): { protocol: string; validTo: string } {
  return { protocol: socket.getProtocol() ?? '', validTo: socket.getPeerCertificate().valid_to ?? '' };
}

function tlsError(target: string, cause: Error): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'TLS_FAILED',
      stage: 'server',
      message: `There is no trusted TLS connection to ${target} (${(cause as NodeJS.ErrnoException).code ?? cause.message}).`,
      hint: 'Check that the certificate is for this name, has not run out, and comes with its intermediate certificates.',
    },
    { cause },
  );
}

function webSocketError(url: string, cause: Error): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'WS_FAILED',
      stage: 'server',
      message: `There is no WebSocket at ${url} (${(cause as NodeJS.ErrnoException).code ?? cause.message}).`,
      hint: 'Check the port, and that a proxy in between passes WebSocket upgrades on.',
    },
    { cause },
  );
}

function notOurs(target: string, cause: unknown): LiteDeskError {
  return new LiteDeskError(
    {
      code: 'PROBE_FOREIGN',
      stage: 'server',
      message: `What listens at ${target} does not speak this protocol.`,
      hint: 'Check the port: another program may have it.',
    },
    { cause },
  );
}

/** The 36 characters of a relay uuid. */
export function relayUuid(): string {
  return randomBytes(16)
    .toString('hex')
    .replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}
