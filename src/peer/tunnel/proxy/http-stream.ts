import { StreamDuplex } from '../../../net/stream-duplex.ts';

/** A stream with the methods that Node's HTTP client calls on sockets, which mean nothing here. */
export class StreamSocket extends StreamDuplex {
  setKeepAlive(): this {
    return this;
  }
  setNoDelay(): this {
    return this;
  }
  setTimeout(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
}
