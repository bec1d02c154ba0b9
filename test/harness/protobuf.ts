/** Fields of a message by number, in order; nested messages and strings are still bytes (protobuf.dev/programming-guides/encoding). */
export class Message {
  readonly #fields = new Map<number, (bigint | Uint8Array)[]>();

  /** @throws when the bytes are not a message. */
  constructor(bytes: Uint8Array) {
    let at = 0;
    const varint = (): bigint => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[at++];
        if (byte === undefined || shift > 63n) throw new Error("a varint does not end");
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    const take = (length: number): Uint8Array => {
      if (at + length > bytes.length) throw new Error("a field reaches beyond its message");
      at += length;
      return bytes.subarray(at - length, at);
    };
    while (at < bytes.length) {
      const tag = Number(varint());
      const wire = tag & 7;
      if (wire !== 0 && wire !== 1 && wire !== 2 && wire !== 5)
        throw new Error(`wire type ${wire}`);
      const value =
        wire === 0 ? varint() : take(wire === 1 ? 8 : wire === 5 ? 4 : Number(varint()));
      const number = tag >> 3;
      this.#fields.set(number, [...(this.#fields.get(number) ?? []), value]);
    }
  }

  messages(number: number): Message[] {
    return this.#bytesOf(number).map((bytes) => new Message(bytes));
  }

  text(number: number): string {
    return Buffer.from(this.#bytesOf(number)[0] ?? []).toString("utf8");
  }

  hex(number: number): string {
    return Buffer.from(this.#bytesOf(number)[0] ?? []).toString("hex");
  }

  int(number: number): number {
    const [value = 0n] = this.#fields.get(number) ?? [];
    if (typeof value !== "bigint") return Number(Buffer.from(value).readBigUInt64LE());
    return Number(BigInt.asIntN(64, value));
  }

  /** ZigZag-encoded. */
  sint(number: number): number {
    const value = BigInt(this.int(number));
    return Number((value >> 1n) ^ -(value & 1n));
  }

  /** A repeated ZigZag-encoded field. */
  sints(number: number): number[] {
    const values = (this.#fields.get(number) ?? []).filter((value) => typeof value === "bigint");
    return values.map((value) => Number((value >> 1n) ^ -(value & 1n)));
  }

  double(number: number): number {
    return Buffer.from(this.#bytesOf(number)[0] ?? new Uint8Array(8)).readDoubleLE();
  }

  /** A packed list of varints, or of fixed64 where `fixed` is the size. */
  packed(number: number): number[] {
    const bytes = this.#bytesOf(number)[0] ?? new Uint8Array();
    const values: number[] = [];
    for (let at = 0, value = 0, shift = 1; at < bytes.length; at++) {
      value += (bytes[at]! & 0x7f) * shift;
      if (bytes[at]! >= 0x80) shift *= 128;
      else {
        values.push(value);
        value = 0;
        shift = 1;
      }
    }
    return values;
  }

  has(number: number): boolean {
    return this.#fields.has(number);
  }

  #bytesOf(number: number): Uint8Array[] {
    return (this.#fields.get(number) ?? []).filter((value) => typeof value !== "bigint");
  }
}

/** Messages that each come with their length before them. */
export function delimitedMessages(bytes: Uint8Array): Message[] {
  const messages: Message[] = [];
  let at = 0;
  while (at < bytes.length) {
    let length = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      length += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    messages.push(new Message(bytes.subarray(at, at + length)));
    at += length;
  }
  return messages;
}
