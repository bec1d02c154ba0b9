import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { JsonObject } from "../../engines/engine.ts";
import { tpotMs } from "../../engines/exchange.ts";
import { engines } from "../../engines/index.ts";
import { type RunningProxy, startProxy } from "../../proxy/serve.ts";
import {
  answer,
  chat,
  chunk,
  DONE,
  ERROR_EVENT,
  LAST_CHUNK,
  type RawFleet,
  SSE_HEAD,
  startRawFleet,
  stream,
} from "../faults/raw-fleet.ts";
import { startFleet, until } from "../harness/fleet.ts";
import { CHAT, chat as chatBody, withEngine } from "../harness/simulated.ts";
import { timedRequest } from "../harness/timed-request.ts";

/** What broke other proxies in front of these engines, each with the report it comes from. */
describe("in front of one engine that behaves as engines do", () => {
  let fleet: RawFleet;
  beforeAll(async () => {
    fleet = await startRawFleet(1);
  });
  afterAll(() => fleet.stop());

  test("a reset on a reused idle socket is asked again, unseen (llm-d#1564, kserve#5446)", async () => {
    const [engine] = fleet.upstreams;
    engine!.script = stream();
    await fleet.ask(chat());
    const idle = engine!.seen.at(-1)!.connection;
    engine!.script = (socket, request) => {
      if (request.connection === idle) socket.resetAndDestroy();
      else stream()(socket, request);
    };
    const { answer: got, record } = await fleet.ask(chat());
    expect(got.status).toBe(200);
    expect(got.isComplete).toBe(true);
    expect(record.outcome.kind).toBe("completed");
  });

  test("an error hidden in a 200 stream is a failure on the record and seen by the client (guidellm#743)", async () => {
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD + chunk(ERROR_EVENT + DONE) + LAST_CHUNK);
    };
    const { text, record } = await fleet.ask(chat());
    expect(record.outcome.kind).toBe("failed");
    expect(text).toContain('"error"');
  });

  test("a 4xx that leaves the body unread does not spoil the next request (llama.cpp#17388)", async () => {
    const [engine] = fleet.upstreams;
    engine!.early = (socket) => {
      socket.end(answer(400, "connection: close\r\n", '{"error":{"code":400,"message":"no"}}'));
      return true;
    };
    const refused = await fleet.ask(chat({ more: { padding: "x".repeat(200_000) } }));
    expect(refused.answer.status).toBe(400);
    expect(refused.record.outcome.kind).toBe("rejected");
    engine!.early = null;
    engine!.script = stream();
    expect((await fleet.ask(chat())).record.outcome.kind).toBe("completed");
  });

  test("no key is added to a request: a strict schema would refuse it (TensorRT-LLM#9709)", async () => {
    const [engine] = fleet.upstreams;
    engine!.script = stream();
    const asked = chat({ more: { stream_options: { include_usage: false }, seed: 1 } });
    await fleet.ask(asked);
    expect(engine!.seen.at(-1)!.body.toString()).toBe(asked.slice(asked.indexOf("\r\n\r\n") + 4));
  });
});

describe("a server that closes its connection after a hundred requests", () => {
  let server: Server;
  let proxy: RunningProxy;
  beforeAll(async () => {
    server = createServer((request, response) => {
      request.resume();
      const owner = { data: [{ id: "m", object: "model", owned_by: "acme" }] };
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify(request.method === "GET" ? owner : { choices: [] }));
    });
    // cpp-httplib, under llama.cpp: CPPHTTPLIB_KEEPALIVE_MAX_COUNT.
    server.maxRequestsPerSocket = 100;
    await new Promise<void>((resolve) => {
      server.listen(0, "127.0.0.1", resolve);
    });
    const { port } = server.address() as AddressInfo;
    proxy = await startProxy({
      replicas: [`one=http://127.0.0.1:${port}`],
      listen: { host: "127.0.0.1", port: 0 },
      admin: { host: "127.0.0.1", port: 0 },
    });
    await until(() => proxy.fleet.views().every(({ state }) => state === "up"), "it is up");
  });
  afterAll(async () => {
    await proxy.stop();
    server.closeAllConnections();
    server.close();
  });

  test("serves a hundred and fifty in a row (llama.cpp#7694)", async () => {
    const statuses = new Set<number>();
    for (let index = 0; index < 150; index++) {
      const got = await fetch(proxy.dataUrl + CHAT, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"model":"m","messages":[]}',
      });
      await got.arrayBuffer();
      statuses.add(got.status);
    }
    expect([...statuses]).toEqual([200]);
  });
});

test("an engine whose /health never answers is up by the route it can afford (sglang#22511, llama-swap#276)", async () => {
  const fleet = await startFleet(["sglang"], {
    engine: { faults: [{ kind: "hang", page: "health" }] },
  });
  try {
    await until(() => fleet.proxy.fleet.views()[0]?.state === "up", "it is up");
    expect(engines.sglang.paths.health).toBe("/ping");
  } finally {
    await fleet.stop();
  }
});

test("statistics that are empty, labelled undefined or renamed are read or left out, never wrong (TensorRT-LLM#4926, aibrix#2004)", () => {
  const { stats } = engines["tensorrt-llm"];
  const path = "/prometheus/metrics";
  for (const page of ["[]", "", "[{}]"]) expect(stats.read(path, page)).toBeNull();
  const old = 'num_requests_running{model_name="undefined",engine_type="undefined"} 3\n';
  expect(stats.read(path, old)).toMatchObject({ running: 3, waiting: null });
  expect(stats.read(path, `trtllm_${old}`)).toMatchObject({ running: 3, waiting: null });
  expect(stats.paths).not.toContain("/metrics");
});

test("tokens of drafted frames are those of usage, and so is their pace (vllm#27485, llmperf#99)", async () => {
  await withEngine(
    "vllm",
    { speed: 20, speculative: { drafts: 4, acceptance: 0.8 } },
    async (engine) => {
      const body = chatBody(120, { stream_options: { include_usage: true } }) as JsonObject;
      const exchange = await timedRequest(engines.vllm, engine.url + CHAT, "chat", body);
      expect(exchange.tokens).toMatchObject({ output: 120, countedBy: "usage" });
      expect(exchange.outputEvents).toBeLessThan(80);
      const { firstTokenMs, lastTokenMs } = exchange.times;
      expect(tpotMs(exchange)).toBeCloseTo((lastTokenMs! - firstTokenMs!) / 119);
    },
  );
});

test("what is generated after the client left is in the engine's books, and the record says it left (vllm#54947)", async () => {
  const fleet = await startFleet(["vllm"], { engine: { speed: 20, faults: [{ kind: "zombie" }] } });
  try {
    const leave = new AbortController();
    const got = await fetch(fleet.proxy.dataUrl + CHAT, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(chatBody(400)),
      signal: leave.signal,
    });
    await got.body!.getReader().read();
    leave.abort();
    const { ring } = fleet.proxy.telemetry;
    await until(() => ring.total === 1, "the record");
    const [record] = ring.newest();
    expect(record!.outcome).toMatchObject({ kind: "cancelled", phase: "decode" });
    const [row] = fleet.engines[0]!.ledger;
    await until(() => row!.finishedMs !== null, "the engine finishing for nobody");
    expect(row!.outputTokens - (record!.tokens.output ?? 0)).toBeGreaterThan(100);
  } finally {
    await fleet.stop();
  }
});
