/** Wire types (protobuf.dev/programming-guides/encoding). */
const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

/** Writes one protobuf message, field by field. */
export class ProtobufWriter {
  readonly #parts: Buffer[] = [];

  text(field: number, value: string): this {
    return this.#bytes(field, Buffer.from(value));
  }

  message(field: number, value: ProtobufWriter): this {
    return this.#bytes(field, value.finish());
  }

  /** An unsigned whole number or an enum. */
  uint(field: number, value: number): this {
    this.#parts.push(varint((field << 3) | VARINT), varint(value));
    return this;
  }

  /** A signed whole number, ZigZag-encoded (`sint32`, `sint64`). */
  sint(field: number, value: number): this {
    return this.uint(field, value < 0 ? -2 * value - 1 : 2 * value);
  }

  double(field: number, value: number): this {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    this.#parts.push(varint((field << 3) | FIXED64), bytes);
    return this;
  }

  finish(): Buffer {
    return Buffer.concat(this.#parts);
  }

  /** The message with its length before it, as streams of messages have it. */
  delimited(): Buffer {
    const bytes = this.finish();
    return Buffer.concat([varint(bytes.length), bytes]);
  }

  #bytes(field: number, value: Buffer): this {
    this.#parts.push(varint((field << 3) | BYTES), varint(value.length), value);
    return this;
  }
}

/** Seven bits a byte, lowest first. Exact up to 2^53, beyond which no count of ours goes. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  while (left >= 0x80) {
    bytes.push((left % 0x80) | 0x80);
    left = Math.floor(left / 0x80);
  }
  bytes.push(left);
  return Buffer.from(bytes);
}
