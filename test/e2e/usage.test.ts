import { afterEach, describe, expect, test } from "vitest";
import type { Exchange } from "../../engines/exchange.ts";
import type { RunningProxy, ServeOptions } from "../../proxy/serve.ts";
import { startProxy } from "../../proxy/serve.ts";
import { JSON_HEADERS, MODEL, startFleet, type TestFleet, until } from "../harness/fleet.ts";
import { RawUpstream } from "../harness/raw-upstream.ts";
import { PERSONAS, type PersonaName } from "../harness/simulated.ts";

const ASKS = { telemetry: { requestUsage: true } } as const satisfies Partial<ServeOptions>;
const ADDED = '"stream_options":{"include_usage":true,"continuous_usage_stats":false},';
const HEAD = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2}}\n\n';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function fleetOf(persona: PersonaName, proxy: Partial<ServeOptions>): Promise<TestFleet> {
  const fleet = await startFleet([persona], { engine: { speed: 50, jitter: 0 }, proxy });
  stops.push(() => fleet.stop());
  return fleet;
}

function recordsOf(proxy: RunningProxy): Exchange[] {
  const records: Exchange[] = [];
  proxy.telemetry.listen({ ended: (exchange) => records.push(exchange) });
  return records;
}

function body(more: object = {}): string {
  const messages = [{ role: "user", content: "how fast does it fly" }];
  return JSON.stringify({ model: MODEL, messages, max_tokens: 6, stream: true, ...more });
}

async function ask(url: string, text: string): Promise<string> {
  const path = text.includes('"messages"') ? "/v1/chat/completions" : "/v1/completions";
  const answer = await fetch(url + path, { method: "POST", headers: JSON_HEADERS, body: text });
  // Names, moments and measured times differ from answer to answer.
  return (await answer.text())
    .replaceAll(/"(?:id|system_fingerprint)":"[^"]*"|"created":\d+/g, "")
    .replaceAll(/"(?:\w+_ms|\w+_per_second)":[\d.e-]+/g, "");
}

describe.each(PERSONAS)("usage asked of %s on the client's behalf", (persona) => {
  test.each([
    ["chat", body()],
    ["a text completion", JSON.stringify({ model: MODEL, prompt: "fly", stream: true })],
    ["a client that asks itself", body({ stream_options: { include_usage: true } })],
    ["an answer that is not streamed", body({ stream: false })],
  ])("leaves %s as the engine says it, less that", async (_name, text) => {
    const fleet = await fleetOf(persona, ASKS);
    const records = recordsOf(fleet.proxy);
    // What it says when asked, less the event: vLLM signs its last event, whichever that is.
    const isOurs = persona !== "llama.cpp" && /"stream":true}/.test(text);
    const asking = isOurs ? text.replace("{", `{${ADDED}`) : text;
    const direct = await ask(fleet.engines[0]!.url, asking);
    const event = /data: \{[^\n]*"choices":\[\][^\n]*\n\n/;
    expect(event.test(direct)).toBe(isOurs || text.includes("stream_options"));
    expect(await ask(fleet.proxy.dataUrl, text)).toBe(isOurs ? direct.replace(event, "") : direct);
    await until(() => records.length === 1, "the record is in");
    expect(records[0]!.outcome.kind).toBe("completed");
    expect(records[0]!.tokens.countedBy).toBe(
      persona === "llama.cpp" && text.includes('"messages"') && text.endsWith('"stream":true}')
        ? "timings"
        : "usage",
    );
  });
});

async function rawFleet(
  count: number,
  options: Partial<ServeOptions>,
): Promise<{ proxy: RunningProxy; upstreams: RawUpstream[]; records: Exchange[] }> {
  const upstreams = await Promise.all(Array.from({ length: count }, () => RawUpstream.start()));
  const proxy = await startProxy({
    replicas: upstreams.map(({ url }, at) => ({ url, name: `raw-${at}`, engine: "vllm" })),
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
    ...options,
  });
  stops.push(async () => {
    await proxy.stop();
    await Promise.all(upstreams.map((upstream) => upstream.stop()));
  });
  await until(() => proxy.fleet.views().every(({ state }) => state === "up"), "all are up");
  return { proxy, upstreams, records: recordsOf(proxy) };
}

const EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n';
const ANSWER = `${HEAD}connection: close\r\n\r\n${EVENT}${USAGE}data: [DONE]\n\n`;

describe("the request", () => {
  test("goes out as it came unless it is switched on", async () => {
    const { proxy, upstreams } = await rawFleet(1, {});
    upstreams[0]!.script = (socket) => socket.end(ANSWER);
    expect(await ask(proxy.dataUrl, body())).toContain('"usage"');
    expect(String(upstreams[0]!.seen[0]!.body)).toBe(body());
  });

  test.each([1, 2])("asks with the right length and no coding, on %i threads", async (threads) => {
    const { proxy, upstreams, records } = await rawFleet(1, { ...ASKS, threads });
    upstreams[0]!.script = (socket) => socket.end(ANSWER);
    expect(await ask(proxy.dataUrl, body())).toBe(`${EVENT}data: [DONE]\n\n`);
    const [{ body: sent, headers }] = upstreams[0]!.seen as [(typeof upstreams)[0]["seen"][0]];
    expect(String(sent)).toBe(`{${ADDED}${body().slice(1)}`);
    const told = (name: string): readonly string[] =>
      headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
    expect(told("content-length")).toEqual([String(sent.length)]);
    expect(told("accept-encoding")).toEqual(["identity"]);
    await until(() => records.length === 1, "the record is in");
    expect(records[0]!.tokens).toMatchObject({ input: 9, output: 2, countedBy: "usage" });
    expect(records[0]!.bytesIn).toBe(body().length);
  });

  test("is the same at every try", async () => {
    const { proxy, upstreams } = await rawFleet(2, ASKS);
    let tries = 0;
    for (const upstream of upstreams)
      upstream.script = (socket) => (tries++ === 0 ? socket.destroy() : socket.end(ANSWER));
    expect(await ask(proxy.dataUrl, body())).toBe(`${EVENT}data: [DONE]\n\n`);
    const sent = upstreams.flatMap(({ seen }) => seen).map((request) => String(request.body));
    expect(sent).toEqual(Array.from({ length: 2 }, () => `{${ADDED}${body().slice(1)}`));
  });

  test("is the same for a hedge, and the answer of either is without the event", async () => {
    const { proxy, upstreams, records } = await rawFleet(2, {
      ...ASKS,
      hedging: { afterMs: 30, shareMax: 1 },
    });
    let tries = 0;
    for (const upstream of upstreams)
      upstream.script = (socket) => {
        if (tries++ > 0) socket.end(ANSWER);
      };
    expect(await ask(proxy.dataUrl, body())).toBe(`${EVENT}data: [DONE]\n\n`);
    expect(new Set(upstreams.flatMap(({ seen }) => seen.map((one) => String(one.body)))).size).toBe(
      1,
    );
    await until(() => records.length === 1, "the record is in");
    expect(records[0]!.attempts).toHaveLength(2);
  });
});

describe("the answer", () => {
  test("of a stated length has none any more", async () => {
    const { proxy, upstreams } = await rawFleet(1, ASKS);
    const events = `${EVENT}${USAGE}data: [DONE]\n\n`;
    upstreams[0]!.script = (socket) =>
      socket.write(`${HEAD}content-length: ${events.length}\r\n\r\n${events}`);
    expect(await ask(proxy.dataUrl, body())).toBe(`${EVENT}data: [DONE]\n\n`);
  });

  test("that refuses passes whole", async () => {
    const { proxy, upstreams } = await rawFleet(1, ASKS);
    const refusal = '{"error":{"message":"no","usage":{}}}';
    upstreams[0]!.script = (socket) =>
      socket.write(`HTTP/1.1 400 Bad\r\ncontent-length: ${refusal.length}\r\n\r\n${refusal}`);
    expect(await ask(proxy.dataUrl, body())).toBe(refusal);
  });

  test("that breaks off within the usage event is a cut one, without a word of it", async () => {
    const { proxy, upstreams, records } = await rawFleet(1, ASKS);
    upstreams[0]!.script = (socket) =>
      socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`, () => {
        const part = EVENT + USAGE.slice(0, 30);
        socket.write(`${part.length.toString(16)}\r\n${part}\r\n`, () => socket.destroy());
      });
    const answer = await fetch(`${proxy.dataUrl}/v1/chat/completions`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: body(),
    });
    let heard = "";
    const read = async (): Promise<void> => {
      for await (const chunk of answer.body!) heard += Buffer.from(chunk).toString();
    };
    await expect(read()).rejects.toThrow(/terminated/);
    expect(heard).toBe(EVENT);
    await until(() => records.length === 1, "the record is in");
    expect(records[0]!.outcome).toEqual({ kind: "cut", code: "upstream_cut" });
  });
});
