/** What the user chose, kept in `settings.json` (0600) of the data folder and validated by one schema. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MAX_RULES, MAX_TUNNELS, ruleSchema, storedSecretsSchema, tunnelSchema } from '../shared/tunnels.ts';
import { ensureDataDir, writePrivateFile } from './identity.ts';

/** Recent peers kept; the oldest go first. */
const MAX_RECENT_PEERS = 30;

const recentPeer = z.object({
  id: z.string().max(253),
  name: z.string().max(253),
  platform: z.string().max(64),
  lastUsedMs: z.number(),
  /** h1 of session §2.4 in hex: good for that host's salt only. */
  passwordHash: z.string().max(128).optional(),
});

const settingsSchema = z.object({
  server: z.string().max(300).default(''),
  key: z.string().max(200).default(''),
  /** The token of the invitation by which this computer enrolled; a secret. */
  token: z.string().max(100).default(''),
  /** Keys that servers gave up, and those that they said come after them. */
  movedKeys: z.array(z.object({ from: z.string().max(200), to: z.string().max(200) })).max(100).default([]),
  language: z.enum(['en', 'zh-CN', 'de']).default('en'),
  shareEnabled: z.boolean().default(true),
  /** h1 of the permanent password with this installation's salt, hex; empty for none. */
  permanentPasswordHash: z.string().max(128).default(''),
  approveMode: z.enum(['password', 'click', 'both']).default('both'),
  directAccess: z.boolean().default(false),
  directAccessPort: z.number().int().min(1).max(65535).default(21118),
  lanDiscovery: z.boolean().default(true),
  /** The gateway may be asked to open ports (PCP, NAT-PMP, UPnP). */
  portMapping: z.boolean().default(true),
  plaintextPeers: z.array(z.string().max(300)).max(1000).default([]),
  recentPeers: z.array(recentPeer).max(1000).default([]),
  /** With what they need to sign in; the file is private to the user. */
  tunnels: z.array(tunnelSchema.and(z.object({ secrets: storedSecretsSchema.default({}) }))).max(MAX_TUNNELS).default([]),
  /** What others may reach through this computer. */
  accessRules: z.array(ruleSchema).max(MAX_RULES).default([]),
  natType: z.enum(['unknown', 'asymmetric', 'symmetric']).default('unknown'),
});

export type PeerSettings = z.infer<typeof settingsSchema>;
export type StoredRecentPeer = z.infer<typeof recentPeer>;

export class SettingsStore {
  readonly #path: string;
  #settings: PeerSettings;

  /** Reads the file; one that does not parse is set aside as `settings.json.damaged`, never overwritten. */
  constructor(dataDir: string) {
    ensureDataDir(dataDir);
    this.#path = join(dataDir, 'settings.json');
    this.#settings = this.#read();
  }

  get current(): PeerSettings {
    return this.#settings;
  }

  change(change: Partial<PeerSettings>): void {
    this.#settings = settingsSchema.parse({ ...this.#settings, ...change });
    writePrivateFile(this.#path, JSON.stringify(this.#settings, null, 2));
  }

  /** Puts a peer at the head of the recent ones. */
  rememberPeer(peer: StoredRecentPeer): void {
    const others = this.#settings.recentPeers.filter((other) => other.id !== peer.id);
    this.change({ recentPeers: [peer, ...others].slice(0, MAX_RECENT_PEERS) });
  }

  forgetPeer(id: string): void {
    this.change({ recentPeers: this.#settings.recentPeers.filter((peer) => peer.id !== id) });
  }

  #read(): PeerSettings {
    if (!existsSync(this.#path)) return settingsSchema.parse({});
    try {
      return settingsSchema.parse(JSON.parse(readFileSync(this.#path, 'utf8')));
    } catch {
      renameSync(this.#path, `${this.#path}.damaged`);
      return settingsSchema.parse({});
    }
  }
}
