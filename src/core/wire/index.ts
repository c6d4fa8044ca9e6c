export * from './address.ts';
export * from './frame.ts';
export * from './proto.ts';
export * from './online-request.ts';
export * from './relay-datagram.ts';
export * from './rewrite.ts';
