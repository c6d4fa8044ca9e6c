/**
 * What a stock client is set up with: three fields in its network settings, or one line for its "import server
 * configuration", which is the JSON of those fields in URL-safe base64, written backwards.
 */
export interface StockConfig {
  /** Name or address, with the port when it is not 21116. */
  readonly host: string;
  /** '' : the port behind the server's. */
  readonly relay?: string;
  readonly key: string;
}

export function stockConfigLine({ host, relay = '', key }: StockConfig): string {
  const json = JSON.stringify({ host, relay, api: '', key });
  return [...Buffer.from(json).toString('base64url')].toReversed().join('');
}
