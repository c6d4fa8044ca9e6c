import type { PathChange } from '../core/native/contract.ts';
import type { Output } from './output.ts';

/** Says that a session goes another way now (docs/cli.md). `sessionId`: of a session that others have with this computer. */
export function printPathChange({ from, to, pauseMs, reason }: PathChange, output: Output, sessionId?: string): void {
  output.event(
    { event: 'path-changed', ...(sessionId === undefined ? {} : { sessionId }), from, to, pauseMs, reason },
    `${sessionId === undefined ? 'The session' : 'A session'} goes by ${to} now${from ? `, by ${from} before` : ''}: ${reason} (${pauseMs} ms)`,
  );
}
