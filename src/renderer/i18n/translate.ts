import type { Language } from '../../shared/ipc.ts';
import { de } from './de.ts';
import { deNetwork } from './de-network.ts';
import { deRoute } from './de-route.ts';
import { deTunnels } from './de-tunnels.ts';
import { en } from './en.ts';
import { enNetwork } from './en-network.ts';
import { enRoute } from './en-route.ts';
import { enTunnels } from './en-tunnels.ts';
import { zhCN } from './zh-CN.ts';
import { zhCNNetwork } from './zh-CN-network.ts';
import { zhCNRoute } from './zh-CN-route.ts';
import { zhCNTunnels } from './zh-CN-tunnels.ts';

const english = { ...en, ...enTunnels, ...enRoute, ...enNetwork };
type English = typeof english;
export type MessageKey = keyof English;
/** What a language file has to be: every key of the English one, no other. */
export type Wording<Source> = Readonly<Record<keyof Source, string>>;
export type Messages = Wording<English>;

type Placeholders<S extends string> = S extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Placeholders<Rest>
  : never;
/** Keys of messages that need no values. */
export type PlainKey = {
  [K in MessageKey]: [Placeholders<English[K]>] extends [never] ? K : never;
}[MessageKey];
type Values<K extends MessageKey> = [Placeholders<English[K]>] extends [never]
  ? []
  : [values: Readonly<Record<Placeholders<English[K]>, string | number>>];

/** `t('connect.to', { id })`: keys and the values that each needs are checked by the compiler. */
export type Translate = <K extends MessageKey>(key: K, ...values: Values<K>) => string;

export const MESSAGES: Readonly<Record<Language, Messages>> = {
  en: english,
  'zh-CN': { ...zhCN, ...zhCNTunnels, ...zhCNRoute, ...zhCNNetwork },
  de: { ...de, ...deTunnels, ...deRoute, ...deNetwork },
};

export function translator(language: Language): Translate {
  const messages = MESSAGES[language];
  return (key, ...values) => fill(messages[key], values[0]);
}

/** Puts values into `{name}`; an unknown name stays as it stands. */
export function fill(text: string, values?: Readonly<Record<string, string | number>>): string {
  if (values === undefined) return text;
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return value === undefined ? whole : String(value);
  });
}
