/** What the status page does. This function runs in the browser, sent as its own source text: it must use nothing from outside. */
import type { ReadyReport } from '../ready.ts';
import type { Sample, StatusPicture } from '../status-picture.ts';
import type { drawChart } from './chart.ts';
import type { pageElements } from './elements.ts';
import type { pageFormats } from './formats.ts';
import type { readStream } from './stream.ts';
import type { PageData, StatusTexts } from './texts.ts';

interface Parts {
  readonly drawChart: typeof drawChart;
  readonly pageElements: typeof pageElements;
  readonly pageFormats: typeof pageFormats;
  readonly readStream: typeof readStream;
}

export function statusPage(data: PageData, parts: Parts): void {
  const SPAN_MS = 600_000;
  const READY_EVERY_MS = 60_000;
  const app = document.getElementById('app');
  if (!app) return;

  // Settings of this browser

  const saved = (name: string): string => {
    try {
      return localStorage.getItem(`litedesk-status-${name}`) ?? '';
    } catch {
      return '';
    }
  };
  const save = (name: string, value: string): void => {
    try {
      localStorage.setItem(`litedesk-status-${name}`, value);
    } catch {
      // A private window forgets.
    }
  };
  const preferred = (): string => {
    for (const wish of [saved('language'), ...navigator.languages])
      for (const known of Object.keys(data.texts))
        if (wish.toLowerCase() === known.toLowerCase() || wish.toLowerCase().split('-')[0] === known.split('-')[0]) return known;
    return 'en';
  };
  let language = preferred();
  const t = (name: keyof StatusTexts): string => data.texts[language]?.[name] ?? name;
  const reasonText = (reason: string): string => data.reasons[language]?.[reason] ?? reason;
  const setTheme = (theme: string): void => {
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  setTheme(saved('theme'));

  // In the way of the reader's country, where that speaks the language

  const locale = (): string => navigator.languages.find((wish) => wish.split('-')[0] === language.split('-')[0]) ?? language;
  const { number, bytesText, bitsText, rateText, duration, timeText, exactTime } = parts.pageFormats(locale);
  const { h, choice, table, bars } = parts.pageElements(number);

  // State

  let token = '';
  const fragment = /(?:^#|&)token=([^&]+)/.exec(location.hash)?.[1];
  if (fragment !== undefined) {
    token = decodeURIComponent(fragment);
    // Not in the address bar, where it would be copied along.
    history.replaceState(null, '', location.pathname);
  } else {
    try {
      token = sessionStorage.getItem('litedesk-status-token') ?? '';
    } catch {
      // Asked for instead.
    }
  }
  let picture: StatusPicture | null = null;
  let samples: Sample[] = [];
  let state: 'connecting' | 'live' | 'lost' | 'refused' = 'connecting';
  let ready: ReadyReport | null = null;
  let stop = (): void => {};

  // The page in parts, each replaced when there is news; scrolled lists keep their place

  const title = h('h1', '');
  const news = h('div', 'news');
  // Apart, so that an open list does not vanish under the finger when there is news.
  const pickers = h('div', 'news');
  const header = h('header', '', title, news, h('span', 'spacer'), pickers);
  const tiles = h('div', 'grid tiles');
  const charts = h('div', 'grid charts');
  const lists = h('div', 'grid lists');
  const chartBoxes = { online: h('div', ''), traffic: h('div', ''), decisions: h('div', '') };
  const panels = new Map<string, HTMLElement>();
  const panel = (name: string, title: string, wide: boolean, content: HTMLElement): HTMLElement => {
    const card = panels.get(name) ?? h('section', wide ? 'card wide' : 'card');
    panels.set(name, card);
    const old = card.querySelector('.scroll');
    const place = old ? { top: old.scrollTop, left: old.scrollLeft } : null;
    card.replaceChildren(h('h2', '', title), content);
    const fresh = card.querySelector('.scroll');
    if (place && fresh) {
      fresh.scrollTop = place.top;
      fresh.scrollLeft = place.left;
    }
    return card;
  };

  const drawHeader = (): void => {
    const live = state === 'live' ? h('span', 'pill ok', t('live')) : h('span', 'pill warn', t(state === 'lost' ? 'lost' : 'connecting'));
    const tested = ready ?? picture?.ready ?? null;
    const health =
      tested === null
        ? h('span', 'pill warn', t('readyUnknown'))
        : tested.ok
          ? h('span', 'pill ok', t('ready'))
          : h('span', 'pill bad', `${t('notReady')}: ${t('failedAt')} ${tested.failed ?? ''}`);
    const about = picture
      ? h('span', 'about', `${t('version')} ${picture.version} · ${t('upFor')} ${duration(picture.now - picture.startedAt)}`)
      : null;
    title.textContent = t('title');
    news.replaceChildren(...[live, state === 'refused' ? null : health, about].filter((part) => part !== null));
    if (pickers.dataset.language === language) return;
    pickers.dataset.language = language;
    pickers.replaceChildren(
      choice(t('language'), data.names, language, (value) => {
        language = value;
        save('language', value);
        drawAll();
      }),
      choice(t('theme'), { auto: t('auto'), light: t('light'), dark: t('dark') }, saved('theme') || 'auto', (value) => {
        save('theme', value);
        setTheme(value);
      }),
    );
  };

  const tile = (name: string, value: string, ...more: string[]): HTMLElement =>
    h('div', 'card tile', h('div', 'name', name), h('div', 'value', value), h('div', 'more', more.filter((text) => text !== '').join(' · ')));

  const drawTiles = (now: StatusPicture): void => {
    const { census, relay, reasons, store } = now;
    const last = samples.at(-1);
    const sum = (test: (reason: string) => boolean): number =>
      Object.entries(reasons).reduce((total, [reason, count]) => total + (test(reason) ? count : 0), 0);
    const minute = samples.filter((sample) => sample[0] > now.now - 60_000);
    const inMinute = (at: 3 | 4): number => {
      const seconds = minute.length > 1 ? ((minute.at(-1)?.[0] ?? 0) - (minute[0]?.[0] ?? 0)) / 1000 / (minute.length - 1) : 2;
      return Math.round(minute.reduce((total, sample) => total + sample[at] * seconds, 0));
    };
    tiles.replaceChildren(
      tile(
        t('computers'),
        number(census.udp + census.tcp + census.ws),
        `UDP ${number(census.udp)}`,
        `TCP ${number(census.tcp)}`,
        `WebSocket ${number(census.ws)}`,
        `${number(store.rows)} ${t('inStore')}`,
      ),
      ...(store.connected ? [] : [tile(t('storeAway'), store.kind, t('storeAwayMore'))]),
      tile(t('relayed'), number(relay.pairs), relay.waiting > 0 ? `${number(relay.waiting)} ${t('waiting')}` : ''),
      tile(t('traffic'), bitsText(last?.[2] ?? 0), `${bytesText(relay.bytes)} ${t('sinceStart')}`),
      tile(t('introduced'), number(sum((reason) => reason.startsWith('introduced-'))), `${number(inMinute(3))} ${t('lastMinute')}`),
      tile(t('refused'), number(sum((reason) => data.kinds[reason] === 'refused')), `${number(inMinute(4))} ${t('lastMinute')}`),
      tile(
        t('connections'),
        number(now.connections),
        `${number(now.pending)} ${t('pending')}`,
        now.lobby === null ? '' : `${number(now.lobby)} ${t('lobby')}`,
        now.published === null ? '' : `${number(now.published.connections)} ${t('toPublished')} (${number(now.published.services)})`,
        now.suppressed > 0 ? `${number(now.suppressed)} ${t('logLost')}` : '',
      ),
    );
  };

  const drawCharts = (now: StatusPicture): void => {
    const points = (at: 1 | 2 | 3 | 4): (readonly [number, number])[] => samples.map((sample) => [sample[0], sample[at]] as const);
    // A young server fills its graphs too.
    const spanMs = Math.min(SPAN_MS, Math.max(60_000, now.now - (samples[0]?.[0] ?? now.now)));
    const common = { spanMs, now: now.now, formatTime: timeText };
    if (charts.childElementCount === 0 || charts.dataset.language !== language) {
      charts.dataset.language = language;
      const legend = h('div', 'legend', h('span', 'key one', t('introduced')), h('span', 'key two', t('refused')), h('span', '', t('perSecond')));
      charts.replaceChildren(
        h('section', 'card', h('h2', '', t('computers')), chartBoxes.online),
        h('section', 'card', h('h2', '', t('traffic')), chartBoxes.traffic),
        h('section', 'card', h('h2', '', t('introductionsChart')), legend, chartBoxes.decisions),
      );
    }
    parts.drawChart(chartBoxes.online, { ...common, series: [{ name: 'one', label: t('computers'), points: points(1) }], format: (value) => number(Math.round(value)) });
    parts.drawChart(chartBoxes.traffic, { ...common, series: [{ name: 'one', label: t('traffic'), points: points(2) }], format: bitsText });
    parts.drawChart(chartBoxes.decisions, {
      ...common,
      series: [
        { name: 'one', label: t('introduced'), points: points(3) },
        { name: 'two', label: t('refused'), points: points(4) },
      ],
      format: rateText,
    });
  };

  const drawLists = (now: StatusPicture): void => {
    const { reasons, peers, sessions, relays, recent } = now;
    const ways = (['tcp', 'udp', 'local', 'relay'] as const).map((way) => ({
      text: t(way),
      code: '',
      count: reasons[`introduced-${way}`] ?? 0,
      refused: false,
    }));
    const refusals = Object.entries(reasons)
      .filter(([reason, count]) => data.kinds[reason] === 'refused' && count > 0)
      .sort((a, b) => b[1] - a[1])
      .map(([reason, count]) => ({ text: reasonText(reason), code: reason, count, refused: true }));
    const sign = (classes: string): HTMLElement => h('span', `sign ${classes}`);
    const relayRows =
      relays.length === 0
        ? [[h('span', '', sign(''), t('ownRelay')), number(now.relay.pairs)]]
        : relays.map((relay) => [
            h('span', '', sign(relay.alive === false ? 'bad' : relay.alive === null ? 'ended' : ''), relay.address, ' ', h('span', 'about', t(relay.alive === null ? 'untested' : relay.alive ? 'alive' : 'dead'))),
            relay.pairs === null ? '' : number(relay.pairs),
          ]);
    const more = (shown: number, all: number): HTMLElement | null => (all > shown ? h('p', 'empty', `… ${t('more')}: ${number(all - shown)}`) : null);
    const online = now.census.udp + now.census.tcp + now.census.ws;
    lists.replaceChildren(
      panel('ways', t('howIntroduced'), false, bars(ways)),
      panel('refusals', t('refusals'), false, refusals.length === 0 ? h('p', 'empty', t('noRefusals')) : bars(refusals)),
      panel('relays', t('relays'), false, table([[t('address'), 'addr'], [t('relayed'), 'num']], relayRows)),
      panel(
        'sessions',
        t('sessions'),
        true,
        sessions.length === 0
          ? h('p', 'empty', t('noSessions'))
          : h('div', '', table([[t('between'), 'addr'], [t('bytes'), 'num'], [t('age'), 'num']], sessions.map((one) => [one.hosts.join(' – '), bytesText(one.bytes), duration(one.ageMs)])), more(sessions.length, now.relay.pairs)),
      ),
      panel(
        'recent',
        t('recent'),
        true,
        recent.length === 0
          ? h('p', 'empty', t('nothing'))
          : table(
              [[t('time'), 'num'], [t('what'), ''], [t('id'), 'num rare'], [t('from'), 'addr rare']],
              recent.toReversed().map((line) => [
                exactTime(line.at),
                h('span', '', sign(data.kinds[line.reason] ?? ''), reasonText(line.reason), line.ms === undefined ? null : h('span', 'about', `  ${number(Math.round(line.ms))} ms`)),
                line.id ?? '',
                line.from ?? '',
              ]),
            ),
      ),
      panel(
        'peers',
        t('list'),
        true,
        peers.length === 0
          ? h('p', 'empty', t('noPeers'))
          : h(
              'div',
              '',
              table(
                [[t('id'), 'num'], [t('via'), 'num'], [t('address'), 'addr'], [t('heard'), 'num rare']],
                peers.map((peer) => [h('code', '', peer.id), peer.via === 'ws' ? 'WebSocket' : peer.via.toUpperCase(), peer.host, peer.silentMs === null ? t('connected') : t('ago').replace('{}', duration(peer.silentMs))]),
              ),
              more(peers.length, online),
            ),
      ),
    );
  };

  const askToken = (wrong: boolean): void => {
    const input = document.createElement('input');
    input.type = 'password';
    input.autocomplete = 'current-password';
    input.setAttribute('aria-label', t('token'));
    input.placeholder = t('token');
    const form = document.createElement('form');
    form.append(input, h('button', '', t('open')));
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      token = input.value.trim();
      connect();
    });
    app.replaceChildren(header, h('section', 'card', h('div', '', t('tokenAsk')), form, wrong ? h('p', 'error', t('wrongToken')) : null));
    input.focus();
  };

  const drawAll = (): void => {
    document.documentElement.lang = language;
    document.title = picture ? `${picture.census.udp + picture.census.tcp + picture.census.ws} · ${t('title')}` : t('title');
    drawHeader();
    if (state === 'refused') return askToken(token !== '');
    if (!picture) return app.replaceChildren(header);
    if (!app.contains(tiles)) app.replaceChildren(header, tiles, charts, lists);
    drawTiles(picture);
    drawCharts(picture);
    drawLists(picture);
  };

  const testReady = async (): Promise<void> => {
    try {
      const headers: Record<string, string> = token === '' ? {} : { Authorization: `Bearer ${token}` };
      ready = (await (await fetch('readyz', { headers, cache: 'no-store' })).json()) as ReadyReport;
    } catch {
      ready = null;
    }
    drawHeader();
  };

  const connect = (): void => {
    stop();
    state = 'connecting';
    stop = parts.readStream('status/events', token, {
      onOpen: () => {
        state = 'live';
        samples = [];
        try {
          sessionStorage.setItem('litedesk-status-token', token);
        } catch {
          // Asked for again next time.
        }
        void testReady();
      },
      onData: (news) => {
        picture = news as StatusPicture;
        const newest = samples.at(-1)?.[0] ?? 0;
        samples = [...samples, ...picture.samples.filter((sample) => sample[0] > newest)].slice(-SPAN_MS / 1_000);
        drawAll();
      },
      onRefused: () => {
        state = 'refused';
        drawAll();
      },
      onLost: () => {
        state = 'lost';
        drawAll();
      },
    });
    drawAll();
  };

  setInterval(() => {
    if (state === 'live') void testReady();
  }, READY_EVERY_MS);
  let resizing = 0;
  addEventListener('resize', () => {
    cancelAnimationFrame(resizing);
    resizing = requestAnimationFrame(() => {
      if (picture && state !== 'refused') drawCharts(picture);
    });
  });
  connect();
}
