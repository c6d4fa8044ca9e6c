/** Bounds of the control stream between a publisher and its server, each with its reason. */

/** One control message: an offer with a full allow-list has some 4 KiB. */
export const MAX_CONTROL_BYTES = 16 * 1024;
/** Fields of one control message; an allow-list is most of them. */
export const MAX_CONTROL_FIELDS = 256;
/** Networks in an allow-list; a longer one belongs into a firewall. */
export const MAX_ALLOW = 64;
/** Programs that answer in turn for one service. */
export const MAX_PROGRAMS = 32;
/** Of a service, in bytes; it stands in logs and in the target of each stream. */
export const MAX_SERVICE_NAME = 63;
/** Of a user for basic auth, in bytes. */
export const MAX_USER_BYTES = 128;
/** Texts that the server sends for people. */
export const MAX_MESSAGE_CHARS = 300;
