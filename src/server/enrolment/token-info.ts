import type { StoredToken } from './state.ts';

/** An invitation as the operator sees it. */
export interface TokenInfo {
  readonly name: string;
  readonly note: string;
  readonly state: 'good' | 'used up' | 'expired' | 'revoked';
  readonly uses: number;
  readonly maxUses: number | null;
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

/** Whether it lets somebody in at that time (Unix ms). */
export function stateOf(token: StoredToken, nowMs: number): TokenInfo['state'] {
  if (token.revokedAt !== null) return 'revoked';
  if (token.expiresAt !== null && token.expiresAt <= nowMs) return 'expired';
  return token.maxUses !== null && token.uses >= token.maxUses ? 'used up' : 'good';
}

export function infoOf(token: StoredToken, nowMs: number): TokenInfo {
  const { name, note, uses, maxUses, createdAt, expiresAt } = token;
  return { name, note, state: stateOf(token, nowMs), uses, maxUses, createdAt, expiresAt };
}
