/**
 * One schema for everything that crosses between the processes of the app; both ends check with it. Sizes are bounded,
 * so that a broken renderer cannot fill the main process.
 */
import type { CommandName } from './channels.ts';
import {
  buffer,
  coordinate,
  displayIndex,
  errorDataSchema,
  MAX_DISPLAYS,
  MAX_NAME,
  name,
  pathSchema,
  sessionId,
  text,
} from './common-schemas.ts';
import { routeSchema } from './route.ts';
import { entryId, ruleSchema, tunnelSchema, tunnelSecretsSchema } from './tunnels.ts';
import { tunnelsStateSchema } from './tunnels-state.ts';
import { z } from './zod.ts';

const languageSchema = z.enum(['en', 'zh-CN', 'de']);

export const windowSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('home') }),
  z.object({ kind: z.literal('session'), sessionId }),
  z.object({ kind: z.literal('accept'), sessionId }),
  z.object({ kind: z.literal('host-bar') }),
]);
export type WindowKind = z.infer<typeof windowSchema>;

const registrationSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('no-server') }),
  z.object({ state: z.literal('off') }),
  z.object({ state: z.literal('registering'), server: name, attempt: z.number() }),
  z.object({
    state: z.literal('ready'),
    server: name,
    transport: z.enum(['udp', 'tcp']),
    latencyMs: z.number().nullable(),
  }),
  z.object({ state: z.literal('offline'), server: name, error: errorDataSchema, retryInMs: z.number() }),
]);

const incomingSchema = z.object({
  sessionId,
  peerId: text,
  peerName: text,
  peerPlatform: text,
  kind: z.enum(['desktop', 'file-transfer', 'port-forward', 'view-camera', 'terminal', 'tunnel']),
  path: pathSchema,
  remoteAddress: text,
  encrypted: z.boolean(),
  standing: z.enum(['known', 'new', 'unproven', 'changed']),
  state: z.enum(['asking', 'open']),
  sinceMs: z.number(),
});

const settingsFields = {
  server: name,
  key: name,
  language: languageSchema,
  shareEnabled: z.boolean(),
  approveMode: z.enum(['password', 'click', 'both']),
  directAccess: z.boolean(),
  directAccessPort: z.number().int().min(1).max(65_535),
  lanDiscovery: z.boolean(),
  portMapping: z.boolean(),
  plaintextPeers: z.array(name).max(1000),
};
export const settingsSchema = z.object({ ...settingsFields, hasPermanentPassword: z.boolean() });
const settingsChangeSchema = z
  .object({ ...settingsFields, permanentPassword: z.string().max(128), invitation: z.string().max(1000) })
  .partial()
  .strict();

const natFactSchema = z.enum([
  'udp',
  'tcp',
  'tcp-to-other-ports',
  'ipv4-translated',
  'second-nat-outside',
  'ipv6',
  'port-kept',
  'mapping-varies-by-port',
  'mapping-varies-by-address',
  'tcp-mapping-varies-by-port',
  'answers-from-another-port-come-in',
  'answers-from-another-address-come-in',
  'tcp-from-another-port-comes-in',
  'tcp-from-another-address-comes-in',
  'hairpin',
  'port-mapping',
]);

export const homeSchema = z.object({
  id: name,
  oneTimePassword: name,
  nat: z.enum(['unknown', 'asymmetric', 'symmetric']),
  natVerdict: z.enum(['open', 'easy', 'usual', 'counting', 'random', 'no-udp', 'no-udp-random', 'one-port', 'unknown']).nullable(),
  natFacts: z.partialRecord(natFactSchema, z.enum(['yes', 'no', 'not-tested'])).nullable(),
  fingerprint: name,
  registration: registrationSchema,
  settings: settingsSchema,
  incoming: z.array(incomingSchema).max(1000),
  recentPeers: z
    .array(z.object({ id: name, name: text, platform: text, lastUsedMs: z.number(), remembered: z.boolean() }))
    .max(1000),
  hostedServer: z.object({ address: name, key: name, invitation: text }).nullable(),
  version: name,
});

const progressSchema = z.object({
  step: z.enum(['lookup', 'punch', 'relay', 'handshake', 'login']),
  detail: text,
});
const displaySchema = z.object({
  x: z.number(),
  y: z.number(),
  width: z.number(),
  height: z.number(),
  name: text,
});
const sessionInfoSchema = z.object({
  hostname: text,
  username: text,
  platform: text,
  displays: z.array(displaySchema).max(MAX_DISPLAYS),
  currentDisplay: z.number(),
  path: pathSchema,
  encrypted: z.boolean(),
  peerVerified: z.boolean(),
  keyboardAllowed: z.boolean(),
});
export const sessionStateSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('connecting'), peerId: name, progress: progressSchema }),
  z.object({
    state: z.literal('password'),
    peerId: name,
    reason: z.enum(['required', 'wrong', 'waiting-accept', 'two-factor']),
    message: text,
  }),
  z.object({ state: z.literal('plaintext-question'), peerId: name, error: errorDataSchema }),
  z.object({ state: z.literal('key-question'), peerId: name, error: errorDataSchema, known: name, offered: name }),
  z.object({ state: z.literal('open'), peerId: name, info: sessionInfoSchema }),
  z.object({ state: z.literal('reconnecting'), peerId: name, error: errorDataSchema, retryInMs: z.number() }),
  z.object({ state: z.literal('closed'), peerId: name, error: errorDataSchema.nullable(), reason: text }),
]);
export const statsSchema = z.object({
  path: pathSchema,
  rttMs: z.number().nullable(),
  codec: name,
  fps: z.number(),
  bitrateBps: z.number(),
});

export const portMessageSchema = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('video'),
    display: displayIndex,
    codec: z.enum(['vp8', 'vp9', 'av1', 'h264', 'h265']),
    key: z.boolean(),
    data: buffer,
  }),
  z.object({ type: z.literal('geometry'), display: displayIndex, geometry: displaySchema }),
  z.object({
    type: z.literal('cursor'),
    id: z.number(),
    hotX: z.number(),
    hotY: z.number(),
    width: z.number(),
    height: z.number(),
    rgba: buffer,
  }),
  z.object({ type: z.literal('cursor-id'), id: z.number() }),
  z.object({ type: z.literal('cursor-position'), x: z.number(), y: z.number() }),
]);

const at = { x: coordinate, y: coordinate };
export const portCommandSchema = z.union([
  z.object({ type: z.literal('mouse'), kind: z.literal('move'), ...at }),
  z.object({
    type: z.literal('mouse'),
    kind: z.literal('button'),
    button: z.enum(['left', 'right', 'middle', 'back', 'forward']),
    down: z.boolean(),
    ...at,
  }),
  z.object({
    type: z.literal('mouse'),
    kind: z.literal('wheel'),
    dx: coordinate,
    dy: coordinate,
    fine: z.boolean(),
  }),
  z.object({
    type: z.literal('key'),
    code: z.string().max(64),
    key: z.string().max(64),
    down: z.boolean(),
    caps: z.boolean(),
    num: z.boolean(),
  }),
  z.object({ type: z.literal('text'), text }),
  z.object({ type: z.literal('release-keys') }),
  z.object({ type: z.literal('refresh'), display: displayIndex }),
  z.object({
    type: z.literal('decoding'),
    vp8: z.boolean(),
    vp9: z.boolean(),
    av1: z.boolean(),
    h264: z.boolean(),
  }),
  z.object({ type: z.literal('shown'), display: displayIndex, fps: z.number().min(0).max(1000) }),
]);

/** Only between preload and main: `count` messages of the port have been handed to the page. */
export const portTakenSchema = z.object({ type: z.literal('taken'), count: z.number().int().min(1).max(10_000) });

const none = z.tuple([]);
const nothing = z.null();

/** Arguments and answer of each command. */
export const COMMANDS = {
  getHome: { args: none, answer: homeSchema },
  copyText: { args: z.tuple([text]), answer: nothing },
  renewPassword: { args: none, answer: nothing },
  changeSettings: { args: z.tuple([settingsChangeSchema]), answer: settingsSchema },
  connect: { args: z.tuple([z.string().min(1).max(MAX_NAME)]), answer: sessionId },
  forgetPeer: { args: z.tuple([name]), answer: nothing },
  discoverLan: {
    args: none,
    answer: z.array(z.object({ id: text, name: text, platform: text, address: text })).max(1000),
  },
  hostServer: { args: none, answer: nothing },
  stopHostedServer: { args: none, answer: nothing },
  quit: { args: none, answer: nothing },
  answerIncoming: { args: z.tuple([sessionId, z.boolean()]), answer: nothing },
  closeIncoming: { args: z.tuple([sessionId]), answer: nothing },
  getTunnels: { args: none, answer: tunnelsStateSchema },
  saveTunnel: { args: z.tuple([tunnelSchema, tunnelSecretsSchema]), answer: nothing },
  removeTunnel: { args: z.tuple([entryId]), answer: nothing },
  restoreTunnel: { args: z.tuple([entryId]), answer: nothing },
  runTunnel: { args: z.tuple([entryId, z.boolean()]), answer: nothing },
  openViewer: { args: z.tuple([entryId]), answer: nothing },
  saveRule: { args: z.tuple([ruleSchema]), answer: nothing },
  removeRule: { args: z.tuple([entryId]), answer: nothing },
  getSession: { args: z.tuple([sessionId]), answer: sessionStateSchema },
  givePassword: { args: z.tuple([sessionId, z.string().max(128), z.boolean()]), answer: nothing },
  getRoute: { args: z.tuple([sessionId]), answer: routeSchema.nullable() },
  giveCode: { args: z.tuple([sessionId, z.string().max(32)]), answer: nothing },
  trustKey: { args: z.tuple([sessionId]), answer: nothing },
  allowPlaintext: { args: z.tuple([sessionId]), answer: nothing },
  switchDisplay: { args: z.tuple([sessionId, displayIndex]), answer: nothing },
  ctrlAltDel: { args: z.tuple([sessionId]), answer: nothing },
  setFullScreen: { args: z.tuple([sessionId, z.boolean()]), answer: nothing },
  closeSession: { args: z.tuple([sessionId]), answer: nothing },
} as const satisfies Record<CommandName, { args: z.ZodType<unknown[]>; answer: z.ZodType }>;

export type CommandArgs<K extends CommandName> = z.infer<(typeof COMMANDS)[K]['args']>;
export type CommandAnswer<K extends CommandName> = z.infer<(typeof COMMANDS)[K]['answer']>;

/** The answer to a command as it crosses. */
export const resultSchema = <T extends z.ZodType>(value: T) =>
  z.discriminatedUnion('ok', [
    z.object({ ok: z.literal(true), value }),
    z.object({ ok: z.literal(false), error: errorDataSchema }),
  ]);
