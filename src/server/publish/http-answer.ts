/** The small pages with which the server itself answers for a published service. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { StreamResetError } from '../../core/mux/index.ts';

const PAGES = {
  400: ['Bad request', 'The request cannot be understood.'],
  401: ['Password needed', 'This page asks for a user name and a password.'],
  403: ['Not allowed', 'This address may not see this page.'],
  404: ['Nothing here', 'No service is published under this name.'],
  429: ['Too many tries', 'Too many wrong passwords came from this address. Wait a minute.'],
  502: ['No answer', 'The service behind this name cannot be reached, or broke its answer off.'],
  503: ['Not available', 'The service behind this name is not available at the moment.'],
  504: ['Too slow', 'The service behind this name did not answer in time.'],
} as const;

export type Status = keyof typeof PAGES;

/** Answers and ends. `code` is for programs and bug reports. */
export function answer(response: ServerResponse, status: Status, code: string, headers: OutgoingHttpHeaders = {}): void {
  const [title, text] = PAGES[status];
  const body = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:32em;margin:15vh auto;padding:0 1em}small{color:#777}</style>
<h1>${title}</h1><p>${text}</p><p><small>${status} ${code}</small></p></html>
`;
  response.writeHead(status, {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
    // Whatever else the client sent belongs to a request that has had its answer.
    Connection: 'close',
  });
  response.end(body);
}

/** The last word on a connection whose request cannot be read. */
export function refuseGarbage(socket: Duplex, text = 'The request cannot be understood.'): void {
  if (!socket.writable) return void socket.destroy();
  const body = `${text}\n`;
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/** What a failure behind the server is to an HTTP client. */
export function statusOf(error: Error): { readonly status: Status; readonly code: string } {
  const code = error instanceof StreamResetError ? error.code : 'broken-answer';
  switch (code) {
    case 'timeout':
      return { status: 504, code };
    case 'unavailable':
    case 'unknown-service':
    case 'too-many-streams':
    case 'too-many-opens':
    case 'link-lost':
    case 'shutting-down':
    case 'overloaded':
      return { status: 503, code };
    default:
      return { status: 502, code };
  }
}
