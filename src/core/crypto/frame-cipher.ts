/** What seals the frames of one link. Every frame must pass exactly once and in order. */
export interface FrameCipher {
  /** How much longer a sealed frame is than its content, in bytes. */
  readonly overheadBytes: number;
  /** The payload of the next frame to send. */
  seal(plain: Uint8Array): Uint8Array;
  /** The same from and into pieces, where the cipher can do so without joining them. */
  sealParts?(parts: readonly Uint8Array[]): readonly Uint8Array[];
  /** The content of the next frame received, in memory of its own. @throws WireError BAD_SEAL, from then on for every frame. */
  open(payload: Uint8Array): Uint8Array;
  /** Does now what the next frame in each direction will need whatever is in it. Asked for while nothing else is to be done. */
  prepare?(): void;
}
