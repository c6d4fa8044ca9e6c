/** What we announce to peers (session §11): the behaviour of this version of the wire is implemented, no more. */
export const WIRE_VERSION = '1.4.5';
