/**
 * The NaCl primitives: libsodium in WebAssembly, and for the sealed stream the native build where it can be loaded
 * (an optional dependency, several times faster at video rates).
 */
import sodium from 'libsodium-wrappers';

/** The secretbox calls of the native library; they write into `out`. */
interface NativeSecretbox {
  crypto_secretbox_easy(out: Uint8Array, plain: Uint8Array, nonce: Uint8Array, key: Uint8Array): void;
  crypto_secretbox_open_easy(
    out: Uint8Array,
    sealed: Uint8Array,
    nonce: Uint8Array,
    key: Uint8Array,
  ): boolean;
}

let loaded = false;
let native: NativeSecretbox | null = null;
let loading: Promise<void> | undefined;

async function loadNative(): Promise<NativeSecretbox | null> {
  // Named through a variable so that no bundler tries to include an optional native module.
  const name = 'sodium-native';
  try {
    const module: unknown = await import(/* @vite-ignore */ name);
    const candidate = (module as { default?: unknown }).default ?? module;
    return isSecretbox(candidate) ? candidate : null;
  } catch {
    return null;
  }
}

function isSecretbox(value: unknown): value is NativeSecretbox {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Record<string, unknown>;
  return (
    typeof record.crypto_secretbox_easy === 'function' &&
    typeof record.crypto_secretbox_open_easy === 'function'
  );
}

/**
 * Loads the library. Must have resolved once before anything else of core/crypto is called; later calls cost nothing.
 * @param options.native false keeps to WebAssembly.
 */
export async function initCrypto(options: { native?: boolean } = {}): Promise<void> {
  loading ??= (async () => {
    await sodium.ready;
    loaded = true;
  })();
  await loading;
  native = options.native === false ? null : (native ?? (await loadNative()));
}

/** The library. @throws Error when initCrypto() was not awaited: a mistake of the program, not of a peer. */
export function lib(): typeof sodium {
  if (!loaded) throw new Error('initCrypto() must be awaited first');
  return sodium;
}

export function nativeSecretbox(): NativeSecretbox | null {
  return native;
}
