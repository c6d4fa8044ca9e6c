import type { Peer } from '../peer/peer.ts';

/** Says on the terminal what the window would show, whenever it changes. */
export function printIdentity(peer: Peer, print: (line: string) => void): void {
  let last = '';
  const say = (): void => {
    const { id, oneTimePassword, registration } = peer;
    const grouped = /^\d{9,}$/.test(id) ? id.replace(/\B(?=(\d{3})+$)/g, ' ') : id;
    const server = peer.server ? registration.state : 'no server set';
    const line = `LiteDesk ID ${grouped || '–'}   one-time password ${oneTimePassword}   (${server})`;
    if (line === last) return;
    last = line;
    print(line);
  };
  peer.on('changed', say);
  say();
}
