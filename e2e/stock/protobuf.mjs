// Protobuf as far as stock clients need it. A layout is {name: [number, kind]}; the kind of a message is its own layout.
export const bytes = (n) => [n, 'bytes'];
export const text = (n) => [n, 'text'];
export const int = (n) => [n, 'int'];

function varint(value) {
  const out = [];
  let left = BigInt.asUintN(64, BigInt(value));
  do {
    out.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0));
    left >>= 7n;
  } while (left > 0n);
  return Buffer.from(out);
}

function lengthDelimited(number, content) {
  return Buffer.concat([varint((number << 3) | 2), varint(content.length), content]);
}

/** Scalars that have their default are left out; a message that is set stays, even an empty one. */
export function encodeFields(layout, fields) {
  const parts = [];
  for (const [field, [n, kind]] of Object.entries(layout)) {
    const value = fields[field];
    if (value === undefined || value === '' || value === 0 || value === false || value?.length === 0) continue;
    if (kind === 'int') parts.push(varint(n << 3), varint(value));
    else parts.push(lengthDelimited(n, typeof kind === 'object' ? encodeFields(kind, value) : Buffer.from(value)));
  }
  return Buffer.concat(parts);
}

function* fieldsOf(data) {
  let at = 0;
  const next = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++];
      if (byte === undefined) throw new Error('truncated');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < data.length) {
    const tag = Number(next());
    if ((tag & 7) === 0) yield [tag >>> 3, next()];
    else if ((tag & 7) === 2) {
      const length = Number(next());
      yield [tag >>> 3, data.subarray(at, (at += length))];
    } else throw new Error(`wire type ${tag & 7}`);
  }
}

/** Fields that are not in the layout are skipped, those that are not set are absent. */
export function decodeFields(layout, data) {
  const message = {};
  for (const [n, value] of fieldsOf(Buffer.from(data)))
    for (const [field, [wanted, kind]] of Object.entries(layout)) {
      if (wanted !== n) continue;
      if (kind === 'int') message[field] = Number(value);
      else if (kind === 'text') message[field] = value.toString();
      else message[field] = typeof kind === 'object' ? decodeFields(kind, value) : value;
    }
  return message;
}
