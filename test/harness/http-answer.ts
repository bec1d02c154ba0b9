/** One HTTP answer as it lay on the wire. */
export interface Answer {
  readonly version: string;
  readonly status: number;
  /** In order, names as sent. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  readonly framing: "length" | "chunked" | "close" | "none";
  /** Sizes of the chunks it came in; empty unless chunked. */
  readonly chunks: readonly number[];
  /** Its framing says it is all there. */
  readonly isComplete: boolean;
}

/** First value of a header, or `undefined`. */
export function valueOf(answer: Answer, name: string): string | undefined {
  return answer.headers.find(([one]) => one.toLowerCase() === name)?.[1];
}

/** The error code in an answer of Pitot's own, or `undefined`. */
export function codeOf(answer: Answer | undefined): string | undefined {
  return /"code":"(\w+)"/.exec(answer?.body.toString() ?? "")?.[1];
}

/** What a connection was seen to carry. */
export interface Wire {
  readonly bytes: Buffer;
  readonly isClosed: boolean;
  /** Answers to HEAD: headers alone. */
  readonly isHead: boolean;
}

/** Takes the bytes of a connection apart into answers, interim ones included; the last may be incomplete. */
export function readAnswers({ bytes, isClosed, isHead }: Wire): Answer[] {
  const answers: Answer[] = [];
  let at = 0;
  while (at < bytes.length) {
    const headEnd = bytes.indexOf("\r\n\r\n", at);
    if (headEnd === -1) break;
    const [start = "", ...lines] = bytes.toString("latin1", at, headEnd).split("\r\n");
    const [, version = "", status = "0"] = /^HTTP\/(\d\.\d) (\d{3})/.exec(start) ?? [];
    const headers = lines.map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    const body = readBody(bytes.subarray(headEnd + 4), {
      headers,
      status: Number(status),
      isClosed,
      isHead,
    });
    answers.push({ version, status: Number(status), headers, ...body.seen });
    if (!body.seen.isComplete) break;
    at = headEnd + 4 + body.taken;
  }
  return answers;
}

interface BodyWire {
  readonly headers: Answer["headers"];
  readonly status: number;
  readonly isClosed: boolean;
  readonly isHead: boolean;
}

interface BodySeen {
  readonly taken: number;
  readonly seen: Pick<Answer, "body" | "framing" | "chunks" | "isComplete">;
}

function readBody(rest: Buffer, { headers, status, isClosed, isHead }: BodyWire): BodySeen {
  const value = (name: string): string | undefined =>
    headers.find(([one]) => one.toLowerCase() === name)?.[1];
  if (isHead || status < 200 || status === 204 || status === 304) {
    const seen = { body: Buffer.alloc(0), framing: "none", chunks: [], isComplete: true } as const;
    return { taken: 0, seen };
  }
  if (value("transfer-encoding") !== undefined) return readChunks(rest);
  const length = value("content-length");
  if (length === undefined) {
    const seen = { body: rest, framing: "close", chunks: [], isComplete: isClosed } as const;
    return { taken: rest.length, seen };
  }
  const body = rest.subarray(0, Number(length));
  const isComplete = body.length === Number(length);
  return { taken: body.length, seen: { body, framing: "length", chunks: [], isComplete } };
}

function readChunks(rest: Buffer): BodySeen {
  const pieces: Buffer[] = [];
  let at = 0;
  let isComplete = false;
  for (;;) {
    const lineEnd = rest.indexOf("\r\n", at);
    if (lineEnd === -1) break;
    const size = Number.parseInt(rest.toString("latin1", at, lineEnd), 16);
    const end = lineEnd + 2 + size;
    if (end + 2 > rest.length) break;
    at = end + 2;
    isComplete = size === 0;
    if (isComplete) break;
    pieces.push(rest.subarray(lineEnd + 2, end));
  }
  const chunks = pieces.map((piece) => piece.length);
  const seen = { body: Buffer.concat(pieces), framing: "chunked", chunks, isComplete } as const;
  return { taken: at, seen };
}
