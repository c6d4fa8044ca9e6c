import type { Language } from '../../shared/ipc.ts';
import { TUNNEL_ERROR_WORDS } from './error-codes-tunnels.ts';

type Titles = Readonly<Record<Language, string>>;
export interface Words {
  title: Titles;
  /** The next step where the English of the error would stand in another language; English comes with the error. */
  hint: Readonly<Record<Exclude<Language, 'en'>, string>>;
}

const CHECK_NETWORK = { 'zh-CN': '请检查双方的网络。', de: 'Prüfen Sie das Netzwerk auf beiden Seiten.' };
const CHECK_SERVER = {
  'zh-CN': '请检查服务器地址和端口、本机网络，以及服务器防火墙是否放行 TCP 和 UDP。',
  de: 'Prüfen Sie Adresse und Port des Servers, Ihr Netzwerk und ob seine Firewall TCP und UDP durchlässt.',
};
const SAME_KEY = {
  'zh-CN': '请确认两台电脑使用同一服务器和同一服务器密钥。',
  de: 'Prüfen Sie, dass beide Computer denselben Server und denselben Schlüssel eingetragen haben.',
};
const CONNECT_AGAIN = { 'zh-CN': '请重新连接。', de: 'Verbinden Sie sich noch einmal.' };
const PLAINTEXT: Words = {
  title: {
    en: 'The connection would not be encrypted',
    'zh-CN': '连接将不会加密',
    de: 'Die Verbindung wäre nicht verschlüsselt',
  },
  hint: SAME_KEY,
};
const LOST: Words = {
  title: { en: 'The connection was lost', 'zh-CN': '连接已断开', de: 'Die Verbindung ist abgerissen' },
  hint: CHECK_NETWORK,
};
const WRONG_PEER: Words = {
  title: {
    en: 'The computer that answered is not the right one',
    'zh-CN': '响应的电脑不是目标电脑',
    de: 'Es hat ein anderer Computer geantwortet',
  },
  hint: {
    'zh-CN': '对方可能刚重新安装，请在那里重启 LiteDesk 并稍后重试；否则可能有人在中间冒充。',
    de: 'Vielleicht wurde er neu eingerichtet: Starten Sie dort LiteDesk neu und versuchen Sie es gleich noch einmal. Sonst sitzt jemand dazwischen.',
  },
};
const NO_SERVER_ANSWER: Words = {
  title: {
    en: 'The server does not answer',
    'zh-CN': '服务器没有响应',
    de: 'Der Server antwortet nicht',
  },
  hint: CHECK_SERVER,
};

/** Words for the failures that people meet; others are told by their stage and the English of the error. */
export const ERROR_WORDS: ReadonlyMap<string, Words> = new Map<string, Words>([
  ...TUNNEL_ERROR_WORDS,
  [
    'SERVER_NOT_SET',
    {
      title: { en: 'No server is set', 'zh-CN': '未设置服务器', de: 'Es ist kein Server eingetragen' },
      hint: {
        'zh-CN': '请在设置中填写服务器地址，或粘贴服务器给出的邀请。',
        de: 'Tragen Sie in den Einstellungen einen Server ein, oder fügen Sie seine Einladung ein.',
      },
    },
  ],
  ['SERVER_NO_ANSWER', NO_SERVER_ANSWER],
  ['SERVER_UNREACHABLE', NO_SERVER_ANSWER],
  [
    'SERVER_REFUSED',
    {
      title: {
        en: 'No server runs at this address',
        'zh-CN': '该地址上没有运行服务器',
        de: 'Unter dieser Adresse läuft kein Server',
      },
      hint: {
        'zh-CN': '请检查服务器程序是否在运行、端口是否正确。',
        de: 'Prüfen Sie, ob das Serverprogramm läuft und der Port stimmt.',
      },
    },
  ],
  [
    'DNS_FAILED',
    {
      title: {
        en: 'The name of the server was not found',
        'zh-CN': '找不到服务器名称',
        de: 'Der Name des Servers wurde nicht gefunden',
      },
      hint: {
        'zh-CN': '请检查地址的拼写和本机的网络连接。',
        de: 'Prüfen Sie die Schreibweise der Adresse und Ihre Netzwerkverbindung.',
      },
    },
  ],
  [
    'ID_NOT_FOUND',
    {
      title: { en: 'This ID does not exist', 'zh-CN': '此 ID 不存在', de: 'Diese ID gibt es nicht' },
      hint: {
        'zh-CN': '请检查数字，并确认对方使用同一服务器且已打开共享。',
        de: 'Prüfen Sie die Ziffern, und ob der andere Computer denselben Server nutzt und freigegeben ist.',
      },
    },
  ],
  [
    'PEER_OFFLINE',
    {
      title: {
        en: 'The other computer is offline',
        'zh-CN': '对方电脑不在线',
        de: 'Der andere Computer ist offline',
      },
      hint: {
        'zh-CN': '请确认对方电脑已唤醒、已联网并已打开共享。',
        de: 'Ist er wach, im Netzwerk und freigegeben?',
      },
    },
  ],
  [
    'PEER_NO_ANSWER',
    {
      title: {
        en: 'The other computer does not answer',
        'zh-CN': '对方电脑没有响应',
        de: 'Der andere Computer antwortet nicht',
      },
      hint: {
        'zh-CN': '它可能刚刚断网，请半分钟后重试。',
        de: 'Vielleicht hat er gerade das Netz verloren. Versuchen Sie es in einer halben Minute noch einmal.',
      },
    },
  ],
  [
    'KEY_MISMATCH',
    {
      title: {
        en: 'The server key is not right',
        'zh-CN': '服务器密钥不正确',
        de: 'Der Schlüssel des Servers stimmt nicht',
      },
      hint: {
        'zh-CN': '请重新从服务器复制密钥，或粘贴其邀请。',
        de: 'Kopieren Sie den Schlüssel noch einmal vom Server, oder fügen Sie seine Einladung ein.',
      },
    },
  ],
  [
    'PUNCH_FAILED',
    {
      title: {
        en: 'No direct path to the other computer',
        'zh-CN': '无法直接连接对方电脑',
        de: 'Kein direkter Weg zum anderen Computer',
      },
      hint: {
        'zh-CN': '请允许中继，或换用允许直接连接的网络。',
        de: 'Erlauben Sie das Relay, oder nutzen Sie ein Netzwerk, das direkte Verbindungen zulässt.',
      },
    },
  ],
  [
    'DIRECT_UNREACHABLE',
    {
      title: {
        en: 'Nothing answers at this address',
        'zh-CN': '该地址没有响应',
        de: 'Unter dieser Adresse antwortet nichts',
      },
      hint: {
        'zh-CN': '对方须打开“允许通过地址连接”，并放行其端口（默认 21118）。',
        de: 'Dort müssen Verbindungen über die Adresse erlaubt und der Port (sonst 21118) offen sein.',
      },
    },
  ],
  [
    'RELAY_UNREACHABLE',
    {
      title: {
        en: 'The relay cannot be reached',
        'zh-CN': '无法连接中继',
        de: 'Das Relay ist nicht erreichbar',
      },
      hint: {
        'zh-CN': '请检查中继是否运行，以及服务器上的端口（默认 21117）是否开放。',
        de: 'Prüfen Sie, ob das Relay läuft und sein Port (sonst 21117) am Server offen ist.',
      },
    },
  ],
  [
    'RELAY_NOT_PAIRED',
    {
      title: {
        en: 'The other computer did not come to the relay',
        'zh-CN': '对方电脑未到达中继',
        de: 'Der andere Computer kam nicht zum Relay',
      },
      hint: SAME_KEY,
    },
  ],
  ['HANDSHAKE_PLAINTEXT_REFUSED', PLAINTEXT],
  ['HANDSHAKE_NO_KEY', PLAINTEXT],
  ['HANDSHAKE_BAD_SIGNATURE', WRONG_PEER],
  ['HANDSHAKE_WRONG_ID', WRONG_PEER],
  [
    'HANDSHAKE_KEY_CHANGED',
    {
      title: {
        en: 'This is not the computer that was connected before',
        'zh-CN': '这不是之前连接过的那台电脑',
        de: 'Das ist nicht der Computer, der vorher verbunden war',
      },
      hint: {
        'zh-CN': '如果对方刚重新安装，请先核对密钥指纹再接受；否则可能有人在中间冒充。',
        de: 'Wurde er neu eingerichtet, vergleichen Sie die Fingerabdrücke und nehmen Sie dann den neuen Schlüssel an. Sonst sitzt jemand dazwischen.',
      },
    },
  ],
  [
    'HANDSHAKE_DOWNGRADE_REFUSED',
    {
      title: {
        en: 'The protected link is no longer offered',
        'zh-CN': '对方不再提供受保护的连接',
        de: 'Die geschützte Verbindung wird nicht mehr angeboten',
      },
      hint: {
        'zh-CN': '如果那里换成了旧版或其他程序，可以接受旧式连接；否则请不要连接。',
        de: 'Läuft dort ein älteres oder anderes Programm, können Sie die ältere Verbindung annehmen. Sonst verbinden Sie sich nicht.',
      },
    },
  ],
  ['HANDSHAKE_NOT_CONFIRMED', WRONG_PEER],
  ['LOGIN_HOST_UNPROVEN', WRONG_PEER],
  [
    'LOGIN_WRONG_PASSWORD',
    {
      title: { en: 'The password is wrong', 'zh-CN': '密码错误', de: 'Das Passwort ist falsch' },
      hint: {
        'zh-CN': '请输入对方电脑当前显示的密码。',
        de: 'Geben Sie das Passwort ein, das der andere Computer jetzt anzeigt.',
      },
    },
  ],
  [
    'LOGIN_TOO_MANY_ATTEMPTS',
    {
      title: {
        en: 'Too many wrong passwords',
        'zh-CN': '密码错误次数过多',
        de: 'Zu viele falsche Passwörter',
      },
      hint: {
        'zh-CN': '请等待一分钟再试，或请对方放行。',
        de: 'Warten Sie eine Minute, oder bitten Sie am anderen Computer um Zugang.',
      },
    },
  ],
  [
    'LOGIN_NOT_ALLOWED',
    {
      title: {
        en: 'The other computer does not allow this',
        'zh-CN': '对方电脑不允许此连接',
        de: 'Der andere Computer erlaubt das nicht',
      },
      hint: {
        'zh-CN': '请让其主人修改设置。',
        de: 'Bitten Sie seinen Besitzer, die Einstellungen zu ändern.',
      },
    },
  ],
  [
    'LOGIN_BLOCKED',
    {
      title: {
        en: 'The other computer refuses connections from here',
        'zh-CN': '对方电脑拒绝来自本机的连接',
        de: 'Der andere Computer lehnt Verbindungen von hier ab',
      },
      hint: {
        'zh-CN': '请让其主人允许本机。',
        de: 'Bitten Sie seinen Besitzer, diesen Computer zuzulassen.',
      },
    },
  ],
  [
    'LOGIN_TIMEOUT',
    {
      title: {
        en: 'The session did not begin in time',
        'zh-CN': '会话未能及时开始',
        de: 'Die Sitzung begann nicht rechtzeitig',
      },
      hint: CONNECT_AGAIN,
    },
  ],
  [
    'SESSION_CLOSED_BY_PEER',
    {
      title: {
        en: 'The other computer ended the session',
        'zh-CN': '对方结束了会话',
        de: 'Der andere Computer hat die Sitzung beendet',
      },
      hint: CONNECT_AGAIN,
    },
  ],
  ['SESSION_TIMEOUT', LOST],
  ['SESSION_RESET', LOST],
  ['SESSION_LINK_LOST', LOST],
  ['SESSION_WRITE_STALLED', LOST],
  ['LINK_BROKEN', LOST],
  ['LINK_TRUNCATED', LOST],
  [
    'INVITATION_BROKEN',
    {
      title: {
        en: 'This is not an invitation',
        'zh-CN': '这不是有效的邀请',
        de: 'Das ist keine Einladung',
      },
      hint: {
        'zh-CN': '请完整复制以 litedesk:// 开头的那一行。',
        de: 'Kopieren Sie die ganze Zeile, die mit litedesk:// beginnt.',
      },
    },
  ],
  [
    'INVITATION_TYPO',
    {
      title: {
        en: 'The invitation is incomplete or mistyped',
        'zh-CN': '邀请不完整或有误',
        de: 'Die Einladung ist unvollständig oder vertippt',
      },
      hint: {
        'zh-CN': '请重新完整复制那一行。',
        de: 'Kopieren Sie die Zeile noch einmal vollständig.',
      },
    },
  ],
]);
