export * from './basic-auth.ts';
export * from './control.ts';
export * from './host-name.ts';
export { MAX_PROGRAMS } from './limits.ts';
