export * from './box.ts';
export * from './fingerprint.ts';
export * from './key-exchange.ts';
export * from './key-statement.ts';
export * from './password.ts';
export * from './random.ts';
export * from './sealed-stream.ts';
export * from './sign.ts';
export { initCrypto } from './sodium.ts';
