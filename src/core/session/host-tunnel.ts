import { type HostSessionOptions, PortForwardRefused, type PortForwardTarget } from './host-types.ts';
import { LOGIN, tunnelFailed } from './login-strings.ts';

/** What takes the place of a session on its link: connected first, started once the link carries raw bytes (session §7). */
export class HostTunnel {
  readonly #abort = new AbortController();
  #target: PortForwardTarget | null = null;

  get connected(): boolean {
    return this.#target !== null;
  }

  /** The link itself is wanted, and nothing behind it has to be connected. */
  connectNothing(): void {
    this.#target = { start: () => {}, cancel: () => {} };
  }

  /** Null: it is connected, unless it was cancelled meanwhile; else what the controller is told. */
  async connect(
    { host, port, label }: { readonly host: string; readonly port: number; readonly label: string },
    open: NonNullable<HostSessionOptions['onPortForward']>,
  ): Promise<string | null> {
    try {
      const target = await open(host, port, this.#abort.signal);
      if (this.#abort.signal.aborted) target.cancel();
      else this.#target = target;
      return null;
    } catch (error) {
      return error instanceof PortForwardRefused ? LOGIN.noTunnel : tunnelFailed(label);
    }
  }

  start(): void {
    const target = this.#target;
    this.#target = null;
    target?.start();
  }

  /** Ends what is being connected, and what is connected but not started. */
  cancel(): void {
    this.#abort.abort();
    this.#target?.cancel();
    this.#target = null;
  }
}
