import { Agent, fetch, type Response } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import type { JsonObject, ProbeAnswer } from "../../engines/engine.ts";
import type { Exchange, InferenceRoute } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { identify } from "../../engines/identify.ts";
import { llamaCpp } from "../../engines/llama-cpp.ts";
import { StatsReader } from "../../engines/stats-reader.ts";
import { type RunningProxy, startProxy } from "../../proxy/serve.ts";
import { JSON_HEADERS, until } from "../harness/fleet.ts";
import { type LlamaServer, MODEL, startLlamaServer } from "./llama-server.ts";

/** A connection each: the engine closes idle ones whenever it likes, and nobody here may retry. */
const dispatcher = new Agent({ pipelining: 0 });
const signal = new AbortController().signal;
const CHAT = "/v1/chat/completions";
const chat = { model: MODEL, messages: [{ role: "user", content: "bad good" }], seed: 3 };
const streamed = { stream: true, stream_options: { include_usage: true } };

let engine: LlamaServer;
let proxy: RunningProxy;

beforeAll(async () => {
  engine = await startLlamaServer("--metrics", "--slots");
  proxy = await startProxy({
    replicas: [`llama=${engine.url}`],
    listen: { host: "127.0.0.1", port: 0 },
    admin: { host: "127.0.0.1", port: 0 },
  });
});

afterAll(async () => {
  await proxy.stop();
  await engine.stop();
});

async function get(path: string): Promise<ProbeAnswer> {
  const answer = await fetch(engine.url + path, { dispatcher });
  const headers = Object.fromEntries(answer.headers);
  return { path, status: answer.status, headers, body: await answer.text() };
}

function post(origin: string, path: string, body: JsonObject): Promise<Response> {
  return fetch(origin + path, {
    dispatcher,
    method: "POST",
    headers: JSON_HEADERS,
    body: JSON.stringify(body),
  });
}

/** One request straight at the engine, timed as real and synthetic ones are. */
async function ask(path: string, route: InferenceRoute, body: JsonObject): Promise<Exchange> {
  const start = { id: "r", origin: "synthetic", route, model: MODEL, streamed: true } as const;
  const timer = new ExchangeTimer(
    { ...start, startedMs: systemClock.nowMs(), bytesIn: 1 },
    systemClock,
  );
  timer.routed("llama", llamaCpp, null);
  const answer = await post(engine.url, path, body);
  timer.headers(answer.status, answer.headers.get("content-type") ?? undefined);
  for await (const chunk of answer.body ?? []) timer.chunk(chunk);
  return timer.end({ kind: "answered" });
}

async function generated(): Promise<number> {
  const stats = llamaCpp.stats.read("/metrics", (await get("/metrics")).body);
  return stats?.generationTokens ?? Number.NaN;
}

async function isIdle(): Promise<boolean> {
  return llamaCpp.stats.read("/slots", (await get("/slots")).body)?.running === 0;
}

describe("a real llama-server", () => {
  test("is recognised with its build and its model", async () => {
    const recognition = await identify(get, signal);
    expect(recognition).toMatchObject({ engine: "llama.cpp", confidence: 1, direct: true });
    expect(recognition.version).toMatch(/^b\d+-/);
    expect(recognition.models).toEqual([{ id: MODEL, maxModelLen: 32_768 }]);
  });

  test("tells who works, who waits and what was cached, over two pages", async () => {
    const reading = await new StatsReader(llamaCpp.stats, get).read(1, 0, signal);
    const { stats } = reading!;
    expect(stats).toMatchObject({ running: 0, waiting: 0, maxSequences: 2, maxModelLen: 32_768 });
    expect(stats.prefixQueryTokens).toBeGreaterThanOrEqual(stats.promptTokens!);
  });

  test.each([1, 7, 200])("generates exactly %i tokens when told to", async (tokens) => {
    const exchange = await ask(
      CHAT,
      "chat",
      llamaCpp.forceLength({ ...chat, ...streamed }, tokens),
    );
    expect(exchange.outcome).toEqual({ kind: "completed", finishReason: "length" });
    expect(exchange.tokens).toMatchObject({ output: tokens, countedBy: "usage" });
  });

  test("is counted by its timings where no usage was asked for", async () => {
    const exchange = await ask(CHAT, "chat", llamaCpp.forceLength({ ...chat, stream: true }, 20));
    expect(exchange.tokens).toMatchObject({ output: 20, countedBy: "timings" });
  });

  test("is counted over all choices of n > 1", async () => {
    const body = llamaCpp.forceLength({ ...chat, ...streamed, n: 2 }, 12);
    expect((await ask(CHAT, "chat", body)).tokens).toMatchObject({ output: 24 });
  });

  test("takes a prompt of exactly the given tokens", async () => {
    const ids = Array.from({ length: 333 }, (_, index) => 300 + (index % 200));
    const body = llamaCpp.forceLength(
      { model: MODEL, stream: true, ...llamaCpp.promptOfTokens!(ids) },
      4,
    );
    const { tokens } = await ask("/v1/completions", "completions", body);
    expect(tokens).toMatchObject({ input: 333, output: 4 });
  });

  test("tokenises and back", async () => {
    const { tokenize, detokenize } = llamaCpp.tokenizer!;
    const text = "bad 東京 good";
    const asked = await post(engine.url, tokenize.path, tokenize.request(text, MODEL));
    const ids = tokenize.read(await asked.text())!;
    expect(ids.length).toBeGreaterThan(3);
    const back = await post(engine.url, detokenize!.path, detokenize!.request(ids, MODEL));
    expect(detokenize!.read(await back.text())).toBe(text);
  });

  test.each([
    ["/v1/messages", "messages", { ...chat, max_tokens: 9, stream: true }],
    [
      "/v1/responses",
      "responses",
      { model: MODEL, input: "bad", max_output_tokens: 9, stream: true },
    ],
    [
      "/v1/completions",
      "completions",
      { model: MODEL, prompt: "bad", max_tokens: 9, stream: true },
    ],
  ] as const)("answers %s with output and usage", async (path, route, body) => {
    const { outcome, tokens, outputEvents } = await ask(path, route, body);
    expect(outcome.kind).toBe("completed");
    expect(tokens.countedBy).toBe("usage");
    expect(tokens.output).toBeGreaterThanOrEqual(outputEvents);
    expect(outputEvents).toBeGreaterThan(0);
  });
});

describe("Pitot in front of it", () => {
  test("passes the answer on and measures it", async () => {
    const body = llamaCpp.forceLength({ ...chat, ...streamed }, 16);
    const answer = await post(proxy.dataUrl, CHAT, body);
    expect(answer.headers.get("x-pitot-replica")).toBe("llama");
    const text = await answer.text();
    expect(text).toContain('"completion_tokens":16');
    expect(text.trimEnd()).toMatch(/data: \[DONE\]$/);
  });

  test("answers more requests in a row than one of its connections serves", async () => {
    const statuses = new Set<number>();
    for (let index = 0; index < 110; index++) {
      const answer = await post(proxy.dataUrl, CHAT, { ...chat, max_tokens: 1 });
      statuses.add(answer.status);
      await answer.arrayBuffer();
    }
    expect([...statuses]).toEqual([200]);
  });

  test("answers on after its client's mistakes", async () => {
    for (let index = 0; index < 5; index++) {
      const wrong = await post(proxy.dataUrl, CHAT, { model: MODEL, messages: "no list" });
      expect(wrong.status).toBe(400);
      await wrong.arrayBuffer();
      const right = await post(proxy.dataUrl, CHAT, { ...chat, max_tokens: 1 });
      expect(right.status).toBe(200);
      await right.arrayBuffer();
    }
  });

  test.each([
    ["a hang-up", {}],
    ["a hang-up of a client that named its conversation", { "x-conversation-id": "c-1" }],
  ])("frees the engine after %s", async (_name, headers) => {
    const tokens = 30_000;
    const before = await generated();
    const leave = new AbortController();
    const answer = await fetch(proxy.dataUrl + CHAT, {
      method: "POST",
      headers: { ...JSON_HEADERS, ...headers },
      body: JSON.stringify(llamaCpp.forceLength({ ...chat, stream: true }, tokens)),
      signal: leave.signal,
    });
    await answer.body!.getReader().read();
    expect(await isIdle()).toBe(false);
    leave.abort();
    await until(isIdle, "the engine going idle");
    expect((await generated()) - before).toBeLessThan(tokens / 2);
  });
});
