/**
 * A connected UDP socket that sends and receives 64 datagrams with one system call: through Node's own sockets the load
 * would cost more than the server that it is to measure. Linux only.
 */
import koffi from 'koffi';

const AF_INET = 2;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_RCVBUF = 8;
const MSG_DONTWAIT = 0x40;
const BUFFER_BYTES = 4 * 1024 * 1024;
/** sizeof(struct mmsghdr), and where its msg_len is. */
const HEADER_BYTES = 64;
const LENGTH_AT = 56;

export const BATCH = 64;
const SLOT_BYTES = 256;

const libc = koffi.load('libc.so.6');
const socket = libc.func('int socket(int, int, int)');
const bind = libc.func('int bind(int, const void*, uint32)');
const connect = libc.func('int connect(int, const void*, uint32)');
const setsockopt = libc.func('int setsockopt(int, int, int, const void*, uint32)');
const sendmmsg = libc.func('int sendmmsg(int, void*, uint32, int)');
const recvmmsg = libc.func('int recvmmsg(int, void*, uint32, int, void*)');
const closeFd = libc.func('int close(int)');

/** Slots of `SLOT_BYTES` with the headers that point at them. */
class Slots {
  readonly data = Buffer.alloc(BATCH * SLOT_BYTES);
  readonly headers = Buffer.alloc(BATCH * HEADER_BYTES);
  readonly #vectors = Buffer.alloc(BATCH * 16);

  constructor() {
    const [data, vectors] = [koffi.address(this.data), koffi.address(this.#vectors)];
    for (let i = 0; i < BATCH; i++) {
      this.#vectors.writeBigUInt64LE(data + BigInt(i * SLOT_BYTES), i * 16);
      this.headers.writeBigUInt64LE(vectors + BigInt(i * 16), i * HEADER_BYTES + 16);
      this.headers.writeBigUInt64LE(1n, i * HEADER_BYTES + 24);
      this.setLength(i, SLOT_BYTES);
    }
  }

  setLength(slot: number, bytes: number): void {
    this.#vectors.writeBigUInt64LE(BigInt(bytes), slot * 16 + 8);
  }
}

export class BatchSocket {
  readonly #fd: number;
  readonly #out = new Slots();
  readonly #in = new Slots();

  /** @param from an IPv4 address of this host @throws when the system refuses */
  constructor(from: string, port: number, to = '127.0.0.1') {
    this.#fd = socket(AF_INET, SOCK_DGRAM, 0);
    const size = Buffer.alloc(4);
    size.writeInt32LE(BUFFER_BYTES);
    setsockopt(this.#fd, SOL_SOCKET, SO_RCVBUF, size, 4);
    setsockopt(this.#fd, SOL_SOCKET, SO_SNDBUF, size, 4);
    if (bind(this.#fd, addressOf(from, 0), 16) !== 0 || connect(this.#fd, addressOf(to, port), 16) !== 0)
      throw new Error(`no UDP socket from ${from} to ${to}:${port}`);
  }

  /** The bytes of one slot to be sent. */
  slot(index: number, bytes: number): Buffer {
    this.#out.setLength(index, bytes);
    return this.#out.data.subarray(index * SLOT_BYTES, index * SLOT_BYTES + bytes);
  }

  /** Sends the first `count` slots. @returns how many left */
  send(count: number): number {
    return Math.max(0, sendmmsg(this.#fd, this.#out.headers, count, MSG_DONTWAIT));
  }

  /** Hands over what is there, a batch at most. @returns how many came */
  receive(onDatagram: (bytes: Buffer) => void): number {
    const count = Math.max(0, recvmmsg(this.#fd, this.#in.headers, BATCH, MSG_DONTWAIT, null));
    for (let i = 0; i < count; i++) {
      const length = this.#in.headers.readUInt32LE(i * HEADER_BYTES + LENGTH_AT);
      onDatagram(this.#in.data.subarray(i * SLOT_BYTES, i * SLOT_BYTES + length));
    }
    return count;
  }

  close(): void {
    closeFd(this.#fd);
  }
}

const usleep = libc.func('int usleep(uint32)');

/**
 * Stops this thread. Waiting at a socket instead would let each answer wake it up, at the expense of who sends the answer:
 * in a virtual machine that costs more than the answer.
 */
export function pause(us: number): void {
  usleep(us);
}

function addressOf(host: string, port: number): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt16LE(AF_INET, 0);
  out.writeUInt16BE(port, 2);
  out.set(host.split('.').map(Number), 4);
  return out;
}
