import { type RunningProxy, type ServeOptions, startProxy } from "../../proxy/serve.ts";
import { MODEL, until } from "./fleet.ts";
import type { Answer } from "./http-answer.ts";
import { RawClient, type RawClientOptions } from "./raw-client.ts";
import { RawUpstream } from "./raw-upstream.ts";

export interface RawPair {
  readonly proxy: RunningProxy;
  readonly upstream: RawUpstream;
  /** Opens a connection that says nothing yet. */
  client(options?: RawClientOptions): Promise<RawClient>;
  /** Says `bytes` on a connection of their own and returns the first `count` answers. */
  ask(bytes: string | Buffer, count?: number): Promise<Answer[]>;
  stop(): Promise<void>;
}

/** A proxy between a client and an engine that are both scripted byte by byte. */
export async function startRawPair(options: Partial<ServeOptions> = {}): Promise<RawPair> {
  const upstream = await RawUpstream.start();
  const proxy = await startProxy({
    replicas: [`raw=${upstream.url}`],
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    ...options,
  });
  await until(() => proxy.fleet.views()[0]?.state === "up", "the engine is up");
  const client = (how: RawClientOptions = {}): Promise<RawClient> =>
    RawClient.connect(proxy.dataUrl, how);
  return {
    proxy,
    upstream,
    client,
    async ask(bytes, count = 1) {
      const asking = await client();
      asking.write(bytes);
      const answers = await asking.answers(count);
      asking.destroy();
      return answers;
    },
    async stop() {
      await proxy.stop();
      await upstream.stop();
    },
  };
}

export const CHAT_BODY = JSON.stringify({ model: MODEL, messages: [] });

/** A chat request as raw bytes. `headers` are whole lines, each ended by CRLF. */
export function chat(headers = "", body = CHAT_BODY): string {
  return `POST /v1/chat/completions HTTP/1.1\r\nhost: pitot.test\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;
}

/** A request without a body as raw bytes. */
export function get(target: string, headers = "", method = "GET"): string {
  return `${method} ${target} HTTP/1.1\r\nhost: pitot.test\r\n${headers}\r\n`;
}
