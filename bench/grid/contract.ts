/** What the bench and its processes in the lab tell each other. */
export interface GridCommand {
  readonly serial: number;
  readonly id: string;
  readonly password: string;
  /** How long a direct path is waited for, in milliseconds. */
  readonly directWithinMs?: number;
}

export type CellResult =
  | { readonly connected: false; readonly reason: string }
  | {
      readonly connected: true;
      readonly firstPath: string;
      /** From the call to the first encrypted byte. */
      readonly encryptedMs: number;
      readonly finalPath: string;
      /** From the call to the first byte that was acknowledged over the final path. */
      readonly finalMs: number;
      /** Why it stayed with the relay; '' where it did not. */
      readonly reason: string;
      /** Everything that was tried, one line each. */
      readonly attempts: readonly string[];
    };
