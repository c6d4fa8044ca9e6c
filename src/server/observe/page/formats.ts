/** Values as people read them. This function runs in the browser, sent as its own source text: it must use nothing from outside. */

export interface PageFormats {
  readonly number: (value: number) => string;
  readonly bytesText: (bytes: number) => string;
  /** Of bits a second. */
  readonly bitsText: (rate: number) => string;
  readonly rateText: (value: number) => string;
  readonly duration: (ms: number) => string;
  /** Of Unix ms: hours and minutes. */
  readonly timeText: (at: number) => string;
  /** With the seconds. */
  readonly exactTime: (at: number) => string;
}

/** `locale` is asked each time, as it changes while the page is open. */
export function pageFormats(locale: () => string): PageFormats {
  const number = (value: number): string => new Intl.NumberFormat(locale()).format(value);
  const scaled = (value: number, units: readonly string[], step: number): string => {
    let at = 0;
    let left = value;
    while (left >= step && at < units.length - 1) {
      left /= step;
      at++;
    }
    return `${new Intl.NumberFormat(locale(), { maximumFractionDigits: left < 10 && at > 0 ? 1 : 0 }).format(left)} ${units[at] ?? ''}`;
  };
  const bytesText = (value: number): string => scaled(value, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'], 1024);
  const bitsText = (value: number): string => scaled(value, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s'], 1000);
  const rateText = (value: number): string => new Intl.NumberFormat(locale(), { maximumFractionDigits: 1 }).format(value);
  const duration = (ms: number): string => {
    const seconds = Math.max(0, Math.round(ms / 1000));
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ${Math.floor((seconds % 3_600) / 60)} min`;
    return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3_600)} h`;
  };
  const timeText = (at: number): string => new Date(at).toLocaleTimeString(locale(), { hour: '2-digit', minute: '2-digit' });
  const exactTime = (at: number): string => new Date(at).toLocaleTimeString(locale());
  return { number, bytesText, bitsText, rateText, duration, timeText, exactTime };
}
