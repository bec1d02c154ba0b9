import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../engines/clock.ts";
import { personas } from "../../../engines/sim/personas/index.ts";
import { startSimulatedEngine } from "../../../engines/sim/server.ts";
import { startProxy } from "../../../proxy/serve.ts";
import { adviceOn } from "../../../proxy/doctor/advice.ts";
import { report } from "../../../proxy/doctor/report.ts";
import { MODEL } from "../../harness/fleet.ts";
import { Practice } from "../../harness/practice.ts";

const practice = new Practice();
afterEach(() => practice.close());

describe("a simulated engine", () => {
  test.each([
    ["vllm", { sequenceTokensMax: 131_072, sequencesMax: null }, "/metrics"],
    ["sglang", { sequenceTokensMax: 131_072 }, "/metrics"],
    ["tensorrt-llm", {}, "/prometheus/metrics"],
    ["llama.cpp", { sequenceTokensMax: 131_072, sequencesMax: 4, kvCacheTokens: null }, "/metrics"],
  ] as const)("%s is told as it is", async (persona, limits, path) => {
    const found = await practice.look(await practice.engine({ persona }));
    expect(found).toMatchObject({
      state: "ok",
      problem: null,
      engine: persona,
      models: [MODEL],
      limits,
      tokens: { route: "chat", countedBy: "usage", outputTokens: 16 },
      metrics: { path, status: 200, isReadable: true },
      // uvicorn keeps its idle limit to itself; cpp-httplib tells it, and sends no Date.
      connection: {
        isReused: true,
        advertisedIdleMs: persona === "llama.cpp" ? 5_000 : null,
        closedAfterMs: null,
      },
      tls: null,
    });
    expect(found.version).toMatch(/\d/);
    expect(found.tokens?.ttftMs).toBeGreaterThan(0);
    expect(found.tokens?.outputEvents).toBeGreaterThan(1);
    expect(found.connection?.samples).toBeGreaterThan(3);
    expect(found.clock === null).toBe(persona === "llama.cpp");
  });

  test("on this machine has this machine's clock", async () => {
    const { clock } = await practice.look(await practice.engine());
    // The header is cut to whole seconds, our clock is anchored at the start: a few ms beside the bounds are theirs.
    expect(Math.abs(clock!.aheadMs)).toBeLessThanOrEqual(clock!.toleranceMs + 50);
    expect(clock!.toleranceMs).toBeLessThanOrEqual(1_000);
  });

  test("that keeps its cache hits to itself is told how to tell them", async () => {
    const found = await practice.look(await practice.engine({ persona: "vllm" }));
    const isTold = found.tokens?.cachedInputTokens !== null;
    const advice = found.advice.filter((text) => text.includes("--enable-prompt-tokens-details"));
    expect(advice).toHaveLength(isTold ? 0 : 1);
  });

  test("shows its cache hits where it tells them", async () => {
    const { tokens } = await practice.look(await practice.engine({ persona: "tensorrt-llm" }));
    expect(tokens?.cachedInputTokens).toBeGreaterThan(0);
  });

  test.each([
    ["vllm", "/metrics answers 404: vLLM serves it always"],
    ["sglang", "/metrics answers 404: start SGLang with --enable-metrics."],
    [
      "tensorrt-llm",
      "/prometheus/metrics answers 404: start TensorRT-LLM with return_perf_metrics: true",
    ],
    ["llama.cpp", "/metrics answers 404: start llama-server with --metrics."],
  ] as const)("%s without statistics is told how to serve them", async (persona, words) => {
    const url = await practice.front(await practice.engine({ persona }), {
      answer: (request, response) => {
        if (request.url?.endsWith("/metrics") !== true) return false;
        response.writeHead(404).end();
        return true;
      },
    });
    const found = await practice.look(url);
    expect(found.state).toBe("ok");
    expect(found.advice.join("\n")).toContain(words);
  });

  test("asked quietly is given no work", async () => {
    const started = await startSimulatedEngine({ persona: "vllm", model: MODEL });
    practice.later(() => started.close());
    const found = await practice.look(started.url, { quiet: true });
    expect(found).toMatchObject({ state: "ok", tokens: null });
    expect(started.ledger).toHaveLength(0);
  });

  test("is asked for no more than two requests", async () => {
    const started = await startSimulatedEngine({ persona: "sglang", model: MODEL, speed: 4 });
    practice.later(() => started.close());
    await practice.look(started.url);
    expect(started.ledger).toHaveLength(2);
  });

  test("that does not serve the model asked for is told apart by its own words", async () => {
    const found = await practice.look(await practice.engine(), { model: "no-such-model" });
    expect(found.state).toBe("failed");
    expect(found.problem).toMatch(/answered 404: .*no-such-model/);
  });

  test.each([
    [[{ kind: "status", status: 500 }], /answered 500/],
    [[{ kind: "error-event", afterTokens: 2 }], /failed within its stream/],
    [[{ kind: "garbage" }], /v1\/chat\/completions/],
    [[{ kind: "cut", afterTokens: 3, how: "rst" }], /connection reset|broke off/],
  ] as const)("with the fault %j fails in one sentence", async (faults, words) => {
    const found = await practice.look(await practice.engine({ faults }));
    expect(found.state).toBe("failed");
    expect(found.problem).toMatch(words);
    expect(found.engine).toBe("vllm");
  });

  test("that sleeps is to be woken, and given nothing to do", async () => {
    const page = `vllm:num_requests_running{model_name="m",engine="0"} 0
vllm:engine_sleep_state{model_name="m",engine="0",sleep_state="awake"} 0
`;
    const url = await practice.front(await practice.engine(), {
      answer: (request, response) => {
        if (request.method !== "POST" && request.url !== "/metrics") return false;
        response.writeHead(request.method === "POST" ? 500 : 200).end(page);
        return true;
      },
    });
    const found = await practice.look(url);
    expect(found).toMatchObject({ state: "failed", tokens: null });
    expect(found.problem).toContain("it sleeps and works on nothing: wake it with POST /wake_up");
  });

  test("without usage is counted by events, and says so", async () => {
    const found = await practice.look(await practice.engine({ faults: [{ kind: "no-usage" }] }));
    expect(found.tokens?.countedBy).toBe("events");
    expect(found.advice.join("\n")).toContain("which is a lower bound");
  });
});

describe("what stands in front of an engine is noticed", () => {
  test("when it holds a stream back", async () => {
    const engine = await practice.engine({ speed: 1 });
    const found = await practice.look(await practice.front(engine, { buffers: true }));
    expect(found.advice.join("\n")).toContain("The whole stream came in one piece");
  });

  test("but not where an engine is faster than its answers are read", async () => {
    const found = await practice.look(await practice.engine());
    const adviceAt = (e2eMs: number): string =>
      adviceOn({ ...found, tokens: { ...found.tokens!, pieces: 1, e2eMs } }).join("\n");
    expect(adviceAt(5)).not.toContain("in one piece");
    expect(adviceAt(500)).toContain("in one piece");
  });

  test("when its clock is off", async () => {
    const atMs = systemClock.nowMs() - 3_600_000;
    const date = new Date(atMs).toUTCString();
    const found = await practice.look(
      await practice.front(await practice.engine(), { headers: { date } }),
    );
    expect(found.advice.join("\n")).toMatch(/Its clock is 3[56]\d\d\.\d s behind ours/);
  });

  test("when it sends no date", async () => {
    const url = await practice.front(await practice.engine(), {
      answer: (_, response) => {
        response.sendDate = false;
        return false;
      },
    });
    const found = await practice.look(url);
    expect(found.clock).toBeNull();
    expect(report(found)).toContain("— (it sends no Date)");
  });

  test("when it closes after every answer", async () => {
    const found = await practice.look(
      await practice.front(await practice.engine(), { headers: { connection: "close" } }),
    );
    expect(found.connection?.isReused).toBe(false);
    expect(found.advice.join("\n")).toContain("It closes after every answer");
  });

  test("when it keeps idle connections too short", async () => {
    const url = await practice.front(await practice.engine(), { keepAliveMs: 50 });
    const found = await practice.look(url, { idleWatchMs: 3_000 });
    expect(found.connection?.closedAfterMs).toBeGreaterThan(40);
    expect(found.advice.join("\n")).toContain("set VLLM_HTTP_TIMEOUT_KEEP_ALIVE=10");
  });

  test("when it passes on no more than /v1", async () => {
    const url = await practice.front(await practice.engine({ persona: "sglang" }), {
      answer: (request, response) => {
        if (request.url?.startsWith("/v1/") === true) return false;
        response.writeHead(404).end();
        return true;
      },
    });
    const found = await practice.look(url);
    expect(found).toMatchObject({ state: "ok", engine: "sglang", metrics: null });
  });
});

describe("a server that is no engine", () => {
  test("is said to have no model list", async () => {
    const found = await practice.look(await practice.front(null, {}));
    expect(found).toMatchObject({ state: "failed", engine: null, tokens: null, metrics: null });
    expect(found.problem).toContain(
      "answers HTTP but has no /v1/models: it is no inference engine",
    );
    expect(found.connection?.isReused).toBe(true);
  });

  test.each([
    ["a page", "<html><body>It works!</body></html>"],
    ["a list of something else", '{"data":[{"name":"x"}]}'],
    ["null", "null"],
  ])("is not taken for one by %s", async (_, body) => {
    const found = await practice.look(await practice.serving("/v1/models", 200, body));
    expect(found.state).toBe("failed");
    expect(found.problem).toContain("(status 200) is no model list");
  });

  test("but OpenAI-compatible is measured, and never guessed wrong", async () => {
    const url = await practice.front(await practice.engine(), {
      answer: (request, response) => {
        if (request.url?.startsWith("/v1/chat/") === true) return false;
        const isList = request.url === "/v1/models";
        response.writeHead(isList ? 200 : 404);
        response.end(isList ? JSON.stringify({ data: [{ id: MODEL, owned_by: "acme" }] }) : "");
        return true;
      },
    });
    const found = await practice.look(url);
    expect(found).toMatchObject({ state: "ok", engine: "openai", metrics: null });
    expect(found.tokens?.countedBy).toBe("usage");
    expect(found.advice.join("\n")).toContain("No engine known by name");
  });

  test("but a Pitot is told to be one", async () => {
    const proxy = await startProxy({
      replicas: [await practice.engine()],
      listen: { host: "127.0.0.1", port: 0 },
      admin: { host: "127.0.0.1", port: 0 },
    });
    practice.later(() => proxy.stop());
    const found = await practice.look(proxy.dataUrl);
    expect(found).toMatchObject({ state: "ok", models: [MODEL], tokens: { countedBy: "usage" } });
    expect(found.advice).toEqual([expect.stringContaining("This is a Pitot: examine the engines")]);
  });

  test.each([
    [
      503,
      '{"error":{"message":"Loading model","type":"unavailable_error","code":503}}',
      /is still loading its model/,
    ],
    [500, "oops", /answers 500: the server is ill/],
  ])("yet, with status %i, is told so", async (status, body, words) => {
    const found = await practice.look(await practice.serving("/v1/models", status, body));
    expect(found.state).toBe("failed");
    expect(found.problem).toMatch(words);
  });
});

test("every persona the simulator speaks is examined here", () => {
  expect(Object.keys(personas).toSorted()).toEqual(["llama.cpp", "sglang", "tensorrt-llm", "vllm"]);
});
