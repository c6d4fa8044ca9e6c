import styles from './icons.module.css';

/** Paths on a grid of 24, drawn with strokes in the colour of the text. */
const PATHS = {
  copy: 'M9 9h10v12H9zM5 15V3h10',
  check: 'M5 13l4.5 4.5L19 7.5',
  eye: 'M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.2a2.8 2.8 0 100 5.6 2.8 2.8 0 000-5.6z',
  eyeOff:
    'M4 4l16 16M9.6 5.8A9 9 0 0112 5.5c6 0 9.5 6.5 9.5 6.5a17 17 0 01-3.1 3.8M6.4 7.4A16.6 16.6 0 002.5 12S6 18.5 12 18.5a9 9 0 004.3-1.1M9.9 10.1a2.8 2.8 0 004 4',
  renew: 'M20 11a8 8 0 10-2.3 6.3M20 4.5V11h-6.5',
  settings:
    'M4 7h9M17.5 7H20M4 17h2.5M11 17h9M15.2 4.7a2.3 2.3 0 110 4.6 2.3 2.3 0 010-4.6zM8.8 14.7a2.3 2.3 0 110 4.6 2.3 2.3 0 010-4.6z',
  close: 'M6 6l12 12M18 6L6 18',
  monitor: 'M3 4.5h18v12H3zM8.5 20.5h7M12 16.5v4',
  arrow: 'M5 12h14M13 6l6 6-6 6',
  search: 'M11 4.5a6.5 6.5 0 110 13 6.5 6.5 0 010-13zM15.8 15.8L20.5 20.5',
  server: 'M4 4h16v6.5H4zM4 13.5h16V20H4zM7.5 7.2h.01M7.5 16.7h.01',
  lock: 'M5.5 11h13v9.5h-13zM8.5 11V7.5a3.5 3.5 0 017 0V11',
  unlock: 'M5.5 11h13v9.5h-13zM8.5 11V7.5a3.5 3.5 0 016.8-1.2',
  warning: 'M12 4L2.8 20h18.4zM12 10v4.5M12 17.2h.01',
  fit: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5M8.5 8.5h7v7h-7z',
  actual: 'M6 8v8M4.5 9L6 8M18 8v8M16.5 9L18 8M12 10v.01M12 14v.01',
  fullScreen: 'M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5',
  leaveFullScreen: 'M9 4v5H4M20 9h-5V4M15 20v-5h5M4 15h5v5',
  keyboard: 'M2.5 6.5h19v11h-19zM6 10h.01M9 10h.01M12 10h.01M15 10h.01M18 10h.01M8 14h8',
  text: 'M5 7V5h14v2M12 5v14M9 19h6',
  power: 'M12 3.5v8M7 6.5a8 8 0 1010 0',
  clock: 'M12 3.5a8.5 8.5 0 110 17 8.5 8.5 0 010-17zM12 7.5V12l3 2',
  person: 'M12 4a4 4 0 110 8 4 4 0 010-8zM4.5 20.5c.5-4 3.5-6 7.5-6s7 2 7.5 6',
  network: 'M12 3.5v5M12 8.5H5.5v5M12 8.5h6.5v5M3 13.5h5v6H3zM16 13.5h5v6h-5z',
  home: 'M3.5 11L12 4l8.5 7M6 9.5V20h12V9.5M10 20v-5.5h4V20',
  tunnel: 'M3 19V13a9 9 0 0118 0v6M8 19v-6a4 4 0 018 0v6M2 19h20',
  plus: 'M12 5v14M5 12h14',
  edit: 'M4 20l1-4.5L16 4.5 19.5 8 8.5 19zM13.5 7l3.5 3.5',
  trash: 'M4 7h16M9.5 7V4h5v3M6.5 7l1 13h9l1-13M10.5 11v5M13.5 11v5',
  globe: 'M12 3.5a8.5 8.5 0 110 17 8.5 8.5 0 010-17zM3.5 12h17M12 3.5c-5 5-5 12 0 17 5-5 5-12 0-17z',
  gamepad: 'M7.5 7.5h9a5 5 0 015 5v2a3 3 0 01-5.6 1.5L15 14.5H9L8.1 16A3 3 0 012.5 14.5v-2a5 5 0 015-5zM8 10v3M6.5 11.5h3M15.5 10.5h.01M17.5 12.5h.01',
  screen: 'M3 4.5h18v12H3zM8.5 20.5h7M12 16.5v4M7 8.5l3 2-3 2M12.5 12.5h4',
  desktopWindow: 'M3 4.5h18v12H3zM8.5 20.5h7M12 16.5v4M3 8.5h18M12 8.5v8',
  publish: 'M12 15V4M7.5 8L12 3.5 16.5 8M4 14.5V20h16v-5.5',
  shield: 'M12 3.5l7.5 2.5v5.5c0 4.5-3 7.5-7.5 9-4.5-1.5-7.5-4.5-7.5-9V6z',
  out: 'M14 5h5v5M19 5l-8.5 8.5M17 13.5V19H5V7h5.5',
} as const;
export type IconName = keyof typeof PATHS;

/** Decoration only: what it means is said by the text or label beside it. */
export function Icon({ name }: { name: IconName }) {
  return (
    <svg className={styles.icon} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
