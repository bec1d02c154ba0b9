import type { Socket } from "node:net";
import type { Exchange } from "../../engines/exchange.ts";
import { type RunningProxy, type ServeOptions, startProxy } from "../../proxy/serve.ts";
import { MODEL, until } from "../harness/fleet.ts";
import type { Answer } from "../harness/http-answer.ts";
import { RawClient } from "../harness/raw-client.ts";
import { RawUpstream, type SeenRequest } from "../harness/raw-upstream.ts";

/** Several engines scripted byte by byte behind one proxy. */
export interface RawFleet {
  readonly proxy: RunningProxy;
  readonly upstreams: readonly RawUpstream[];
  /** Requests all engines have seen. */
  seen(): number;
  /** Says `bytes` on a connection of their own; the client is returned at once. */
  send(bytes: string): Promise<RawClient>;
  /** The same, to the end of the answer, with the one record it made. */
  ask(bytes: string): Promise<Asked>;
  stop(): Promise<void>;
}

export interface Asked {
  readonly answer: Answer;
  readonly text: string;
  readonly record: Exchange;
}

export async function startRawFleet(
  replicas: number,
  options: Partial<ServeOptions> = {},
): Promise<RawFleet> {
  const upstreams = await Promise.all(Array.from({ length: replicas }, () => RawUpstream.start()));
  const proxy = await startProxy({
    replicas: upstreams.map((upstream, index) => `r${index}=${upstream.url}`),
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    ...options,
  });
  await until(() => proxy.fleet.views().every((view) => view.state === "up"), "all are up");
  const send = async (bytes: string): Promise<RawClient> => {
    const client = await RawClient.connect(proxy.dataUrl);
    client.write(bytes);
    return client;
  };
  return {
    proxy,
    upstreams,
    seen: () => upstreams.reduce((sum, { seen }) => sum + seen.length, 0),
    send,
    async ask(bytes) {
      const before = proxy.telemetry.ring.total;
      const client = await send(bytes);
      const [answer] = await client.answers();
      client.destroy();
      const record = await recordAfter(proxy, before);
      return { answer: answer!, text: answer?.body.toString() ?? "", record };
    },
    async stop() {
      await proxy.stop();
      await Promise.all(upstreams.map((upstream) => upstream.stop()));
    },
  };
}

/** The record made since there were `before`, once nothing is under way, and that it is the only one. */
export async function recordAfter(proxy: RunningProxy, before: number): Promise<Exchange> {
  const { ring } = proxy.telemetry;
  await until(() => ring.total > before && proxy.feed.inFlightCount === 0, "the record");
  if (ring.total !== before + 1) throw new Error(`${ring.total - before} records of one request`);
  const [newest] = ring.newest();
  return newest!;
}

export const SSE_HEAD =
  "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
export const LAST_CHUNK = "0\r\n\r\n";
export const DONE = "data: [DONE]\n\n";
export const ROLE = 'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n';
export const FINISH = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
export const ERROR_EVENT =
  'data: {"error":{"message":"engine died","type":"InternalServerError","code":500}}\n\n';

/** One event that carries one token. */
export function token(text = "a"): string {
  return `data: {"choices":[{"index":0,"delta":{"content":"${text}"}}]}\n\n`;
}

/** A chunk of a chunked body. */
export function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

/** Answers with `count` tokens, to the end. */
export function stream(count = 3): (socket: Socket, request: SeenRequest) => void {
  return (socket) => {
    const tokens = Array.from({ length: count }, () => chunk(token())).join("");
    socket.write(SSE_HEAD + chunk(ROLE) + tokens + chunk(FINISH + DONE) + LAST_CHUNK);
  };
}

/** A whole answer of a status. */
export function answer(status: number, headers = "", body = `{"status":${status}}`): string {
  return `HTTP/1.1 ${status} Whatever\r\ncontent-type: application/json\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

/** A chat request as raw bytes. `headers` are whole lines, each ended by CRLF. */
export function chat({
  path = "/v1/chat/completions",
  model = MODEL,
  streamed = true,
  headers = "",
  more = {},
}: {
  readonly path?: string;
  readonly model?: string;
  readonly streamed?: boolean;
  readonly headers?: string;
  readonly more?: object;
} = {}): string {
  const body = JSON.stringify({ model, messages: [], stream: streamed, ...more });
  return `POST ${path} HTTP/1.1\r\nhost: pitot.test\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}
