import type { ErrorData, Stage } from '../errors.ts';
import type { Language } from '../../shared/ipc.ts';
import { ERROR_WORDS } from './error-codes.ts';

export interface ErrorText {
  /** What went wrong, short. */
  title: string;
  /** What to do next. */
  hint: string;
}

/** For codes without words of their own: the stage says at least where it failed. */
const STAGE_TITLES: Readonly<Record<Language, Readonly<Record<Stage, string>>>> = {
  en: {
    usage: 'That did not work',
    dns: 'The name of the server was not found',
    server: 'The server cannot be reached',
    register: 'The server did not register this computer',
    lookup: 'The other computer was not found',
    punch: 'No direct path to the other computer',
    relay: 'The relay did not work',
    handshake: 'No safe connection could be agreed on',
    login: 'The other computer refused the sign-in',
    session: 'The session ended',
  },
  'zh-CN': {
    usage: '操作未成功',
    dns: '找不到服务器名称',
    server: '无法连接服务器',
    register: '服务器未能注册本机',
    lookup: '找不到对方电脑',
    punch: '无法直接连接对方电脑',
    relay: '中继失败',
    handshake: '无法建立安全连接',
    login: '对方电脑拒绝登录',
    session: '会话已结束',
  },
  de: {
    usage: 'Das hat nicht geklappt',
    dns: 'Der Name des Servers wurde nicht gefunden',
    server: 'Der Server ist nicht erreichbar',
    register: 'Der Server hat diesen Computer nicht registriert',
    lookup: 'Der andere Computer wurde nicht gefunden',
    punch: 'Kein direkter Weg zum anderen Computer',
    relay: 'Das Relay hat nicht funktioniert',
    handshake: 'Es kam keine sichere Verbindung zustande',
    login: 'Der andere Computer hat die Anmeldung abgelehnt',
    session: 'Die Sitzung ist beendet',
  },
};

/** Words for an error in the given language; the code itself is always shown beside them. */
export function errorText(language: Language, error: ErrorData): ErrorText {
  const words = ERROR_WORDS.get(error.code);
  if (words === undefined) return { title: STAGE_TITLES[language][error.stage], hint: error.hint };
  return { title: words.title[language], hint: language === 'en' ? error.hint : words.hint[language] };
}
