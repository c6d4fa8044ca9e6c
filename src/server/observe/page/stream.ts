/** Server-sent events with a token in a header, which EventSource cannot send. Runs in the browser; uses nothing from outside. */

export interface StreamEvents {
  readonly onOpen: () => void;
  readonly onData: (data: unknown) => void;
  /** The token is missing or wrong; nothing more is tried. */
  readonly onRefused: () => void;
  /** It broke, and is tried again. */
  readonly onLost: () => void;
}

/** Reads `url` until the returned function is called; begins anew when it breaks. */
export function readStream(url: string, token: string, events: StreamEvents): () => void {
  const abort = new AbortController();
  let pauseMs = 1_000;
  const again = (): void => {
    if (abort.signal.aborted) return;
    events.onLost();
    setTimeout(() => void read(), pauseMs);
    pauseMs = Math.min(pauseMs * 2, 15_000);
  };
  const read = async (): Promise<void> => {
    try {
      const headers: Record<string, string> = token === '' ? {} : { Authorization: `Bearer ${token}` };
      const response = await fetch(url, { headers, signal: abort.signal, cache: 'no-store' });
      if (response.status === 401) return events.onRefused();
      if (!response.ok || !response.body) return again();
      events.onOpen();
      pauseMs = 1_000;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
        const parts = text.split('\n\n');
        text = parts.pop() ?? '';
        for (const part of parts) {
          const data = part
            .split('\n')
            .filter((line) => line.startsWith('data: '))
            .map((line) => line.slice(6))
            .join('\n');
          if (data !== '') events.onData(JSON.parse(data));
        }
      }
    } catch {
      // Said by again().
    }
    again();
  };
  void read();
  return () => abort.abort();
}
