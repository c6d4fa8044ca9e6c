/** Tells the text of the clipboard whenever it changes. */

/** Where nothing reports changes; a person does not notice half a second. */
const POLL_MS = 500;
/** Longer texts are left alone: they would hold up the session. */
const MAX_TEXT = 1024 * 1024;

export interface ClipboardSource {
  /** A promise with newer Electrons, the text itself with older ones. */
  readText(): string | Promise<string>;
  /**
   * Reports changes until the returned function is called; rejects where nothing does. On X11 looking holds up the whole
   * process until the owner of the clipboard has answered, often for tens of milliseconds.
   */
  reports(onChange: () => void, onEnd: () => void): Promise<() => void>;
}

/** Until the returned function is called. What the clipboard holds at the beginning is not told. */
export function watchClipboard(source: ClipboardSource, onText: (text: string) => void): () => void {
  let last: string | null = null;
  let reading = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let stopReports = (): void => {};

  const look = async (): Promise<void> => {
    if (reading || stopped) return;
    reading = true;
    try {
      const text = await source.readText();
      const changed = last !== null && text !== last && text.length <= MAX_TEXT;
      last = text;
      if (changed && text !== '' && !stopped) onText(text);
    } finally {
      reading = false;
    }
  };
  const poll = (): void => {
    if (!stopped) timer ??= setInterval(() => void look(), POLL_MS);
  };
  const onChange = (): void => {
    // A report says that it changed, whatever it was.
    last ??= '';
    void look();
  };
  source.reports(onChange, poll).then((stop) => {
    if (stopped) stop();
    else stopReports = stop;
  }, poll);
  return () => {
    stopped = true;
    clearInterval(timer);
    stopReports();
  };
}
