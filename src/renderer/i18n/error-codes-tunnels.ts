import type { Words } from './error-codes.ts';

const RULE_THERE = {
  'zh-CN': '请在另一台电脑的“隧道”页面中允许访问该地址；本机回环地址需要单独的规则。',
  de: 'Erlauben Sie dieses Ziel auf dem anderen Computer, auf seiner Seite „Tunnel“; „localhost“ braucht eine eigene Regel.',
};
const CHECK_TARGET = {
  'zh-CN': '请在另一台电脑上检查服务是否运行，以及主机和端口是否正确。',
  de: 'Prüfen Sie auf dem anderen Computer, ob der Dienst läuft und ob Rechner und Port stimmen.',
};

/** Words for the failures of tunnels. */
export const TUNNEL_ERROR_WORDS: readonly (readonly [string, Words])[] = [
  [
    'TUNNEL_LISTEN_FAILED',
    {
      title: { en: 'The port cannot be opened here', 'zh-CN': '无法在本机打开端口', de: 'Der Port lässt sich hier nicht öffnen' },
      hint: {
        'zh-CN': '其他程序可能正在使用此端口：请选择另一个端口，或留空。',
        de: 'Vielleicht benutzt ihn ein anderes Programm: Wählen Sie einen anderen Port, oder lassen Sie das Feld leer.',
      },
    },
  ],
  [
    'TUNNEL_NOT_ALLOWED',
    {
      title: {
        en: 'The other computer does not allow this',
        'zh-CN': '另一台电脑不允许此访问',
        de: 'Der andere Computer erlaubt das nicht',
      },
      hint: RULE_THERE,
    },
  ],
  [
    'TUNNEL_DNS_FAILED',
    {
      title: { en: 'The name is not known there', 'zh-CN': '对方无法解析该名称', de: 'Der Name ist dort nicht bekannt' },
      hint: CHECK_TARGET,
    },
  ],
  [
    'TUNNEL_TARGET_REFUSED',
    {
      title: { en: 'Nothing listens at the other end', 'zh-CN': '对方没有服务在监听', de: 'Am anderen Ende antwortet kein Dienst' },
      hint: CHECK_TARGET,
    },
  ],
  [
    'TUNNEL_TARGET_UNREACHABLE',
    {
      title: { en: 'The place cannot be reached from there', 'zh-CN': '对方无法到达该地址', de: 'Das Ziel ist von dort nicht erreichbar' },
      hint: CHECK_TARGET,
    },
  ],
  [
    'TUNNEL_TARGET_TIMEOUT',
    {
      title: { en: 'The service did not answer in time', 'zh-CN': '服务没有及时响应', de: 'Der Dienst hat nicht rechtzeitig geantwortet' },
      hint: CHECK_TARGET,
    },
  ],
  [
    'TUNNEL_LINK_LOST',
    {
      title: {
        en: 'The connection to the other computer was lost',
        'zh-CN': '与另一台电脑的连接已断开',
        de: 'Die Verbindung zum anderen Computer ist abgerissen',
      },
      hint: { 'zh-CN': '正在恢复连接，请稍后重试。', de: 'Sie wird wiederhergestellt; versuchen Sie es gleich noch einmal.' },
    },
  ],
  [
    'PUBLISH_REFUSED',
    {
      title: { en: 'The server does not publish this', 'zh-CN': '服务器未发布此服务', de: 'Der Server veröffentlicht das nicht' },
      hint: {
        'zh-CN': '会自动重试；如果一直如此，请选择其他端口或主机名。',
        de: 'Es wird von selbst wieder versucht; bleibt es dabei, wählen Sie einen anderen Port oder Namen.',
      },
    },
  ],
  [
    'PUBLISH_UNHEALTHY',
    {
      title: { en: 'Nothing answers behind it', 'zh-CN': '后面的程序均无响应', de: 'Dahinter antwortet nichts' },
      hint: {
        'zh-CN': '请启动这些程序，并检查主机、端口和要检查的网页。',
        de: 'Starten Sie die Programme, und prüfen Sie Rechner, Port und die Seite, nach der gesehen wird.',
      },
    },
  ],
  [
    'TUNNEL_NEEDS_LITEDESK',
    {
      title: {
        en: 'The other computer needs LiteDesk for this',
        'zh-CN': '另一台电脑需要安装 LiteDesk',
        de: 'Dafür braucht der andere Computer LiteDesk',
      },
      hint: {
        'zh-CN': '同类的其他程序只能转发 TCP 端口。',
        de: 'Mit anderen Programmen dieser Art lassen sich nur TCP-Ports weiterleiten.',
      },
    },
  ],
  [
    'VIEWER_MISSING',
    {
      title: { en: 'There is no viewer on this computer', 'zh-CN': '本机没有查看程序', de: 'Auf diesem Computer fehlt ein Anzeigeprogramm' },
      hint: {
        'zh-CN': '请安装一个，或把地址复制到您已有的程序中。',
        de: 'Installieren Sie eines, oder kopieren Sie die Adresse in das, das Sie haben.',
      },
    },
  ],
];
