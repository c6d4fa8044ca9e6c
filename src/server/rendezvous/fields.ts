/** Small rules for single fields of messages. */
export const NO_BYTES = new Uint8Array(0);

/** A port from the wire, or 0 when it is none. */
export function validPort(port: number | null | undefined): number {
  return port && port > 0 && port <= 0xffff ? port : 0;
}

/** `{[name]: value}`, or nothing for a default: what is unset on the wire must stay unset. */
export function given<K extends string, V>(name: K, value: V): { [P in K]?: V } {
  const empty = value === 0 || value === false || value === '' || (value instanceof Uint8Array && value.length === 0);
  return empty ? {} : ({ [name]: value } as { [P in K]?: V });
}
