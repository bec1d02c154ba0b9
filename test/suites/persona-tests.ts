import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EngineName, JsonObject } from "../../engines/engine.ts";
import type { Exchange, InferenceRoute } from "../../engines/exchange.ts";
import { identify } from "../../engines/identify.ts";
import { engines } from "../../engines/index.ts";
import { type SimulatedEngine, startSimulatedEngine } from "../../engines/sim/server.ts";
import { StatsReader } from "../../engines/stats-reader.ts";
import { MODEL } from "../harness/fleet.ts";
import { CHAT, chat, TEXT, WEATHER } from "../harness/simulated.ts";
import { probeOf, timedRequest } from "../harness/timed-request.ts";

type PersonaName = Exclude<EngineName, "openai">;

const signal = new AbortController().signal;
const USAGE = { stream_options: { include_usage: true } };
const TOKENS = 24;
/** How each engine's tokens can be told when no usage is asked for. TensorRT-LLM and vLLM need it asked. */
const UNASKED = {
  vllm: "events",
  sglang: "events",
  "tensorrt-llm": "events",
  "llama.cpp": "timings",
} as const;

/** Holds a simulated engine to its own dialect over HTTP: what it wrote into its books is what is read off the wire. */
export function personaTests(persona: PersonaName): void {
  describe(`persona ${persona} in its own dialect`, () => {
    const dialect = engines[persona];
    let engine: SimulatedEngine;
    beforeAll(async () => {
      engine = await startSimulatedEngine({ persona, model: MODEL, speed: 100, jitter: 0 });
    });
    afterAll(() => engine.close());

    const send = (path: string, route: InferenceRoute, body: object): Promise<Exchange> =>
      timedRequest(dialect, engine.url + path, route, body as JsonObject);
    const exact = (body: object): object => dialect.forceLength(body as JsonObject, TOKENS);

    test("is recognised as itself, directly and for good", async () => {
      const recognition = await identify(probeOf(engine.url), signal);
      expect(recognition).toMatchObject({
        engine: persona,
        confidence: 1,
        direct: true,
        settled: true,
        models: [{ id: MODEL }],
      });
      expect(recognition.version).not.toBeNull();
    });

    test("answers its health route", async () => {
      expect((await fetch(engine.url + dialect.paths.health)).status).toBe(200);
    });

    const kinds: readonly (readonly [string, string, InferenceRoute, object])[] = [
      ["a chat", CHAT, "chat", chat(1)],
      ["a text completion", TEXT, "completions", { model: MODEL, prompt: "how fast" }],
      ["reasoning", CHAT, "chat", chat(1, { reasoning_effort: "low" })],
      ["log probabilities", CHAT, "chat", chat(1, { logprobs: true, top_logprobs: 2 })],
      ["an offered tool", CHAT, "chat", chat(1, { tools: [WEATHER], tool_choice: "auto" })],
    ];
    describe.each(kinds)("%s", (_name, path, route, body) => {
      test("streamed is counted to the token and has a first one", async () => {
        const exchange = await send(path, route, { ...exact(body), stream: true, ...USAGE });
        expect(exchange.outcome).toEqual({ kind: "completed", finishReason: "length" });
        expect(exchange.tokens).toMatchObject({ output: TOKENS, countedBy: "usage" });
        expect(exchange.tokens.input).toBe(engine.ledger.at(-1)?.inputTokens);
        expect(exchange.times.firstTokenMs).not.toBeNull();
        expect(exchange.outputEvents).toBeLessThanOrEqual(TOKENS);
      });

      test("unstreamed is counted to the token", async () => {
        const exchange = await send(path, route, { ...exact(body), stream: false });
        expect(exchange.outcome).toEqual({ kind: "completed", finishReason: "length" });
        expect(exchange.tokens).toMatchObject({ output: TOKENS, countedBy: "usage" });
        expect(exchange.times.firstTokenMs).toBeNull();
      });
    });

    test("without usage says how it was counted", async () => {
      const { tokens } = await send(CHAT, "chat", exact(chat(1)));
      expect(tokens.countedBy).toBe(UNASKED[persona]);
      expect(tokens.output).toBeGreaterThan(0);
      expect(tokens.output).toBeLessThanOrEqual(TOKENS);
    });

    test("n choices are counted together", async () => {
      const body = { ...exact(chat(1, { n: 3 })), ...USAGE };
      expect((await send(CHAT, "chat", body)).tokens.output).toBe(3 * TOKENS);
    });

    test("a required tool call is output and finishes as one", async () => {
      const asked = chat(300, { tools: [WEATHER], tool_choice: "required", ...USAGE });
      const exchange = await send(CHAT, "chat", { ...asked, ignore_eos: false });
      expect(exchange.outcome).toEqual({ kind: "completed", finishReason: "tool_calls" });
      expect(exchange.outputEvents).toBeGreaterThan(0);
      expect(exchange.tokens.output).toBe(engine.ledger.at(-1)?.outputTokens);
    });

    test("an empty answer has no first token and is no failure", async () => {
      const messages = [{ role: "user", content: "" }];
      const exchange = await send(CHAT, "chat", { model: MODEL, messages, stream: true, ...USAGE });
      expect(exchange.outcome).toEqual({ kind: "completed", finishReason: "stop" });
      expect(exchange.times.firstTokenMs).toBeNull();
    });

    test("a prompt beyond the context is rejected, not failed", async () => {
      const ids = Array.from({ length: 140_000 }, (_, index) => index % 1_000);
      const prompt = dialect.promptOfTokens?.(ids) ?? {};
      const { outcome } = await send(TEXT, "completions", {
        model: MODEL,
        ...prompt,
        max_tokens: 1,
      });
      expect(outcome).toEqual({ kind: "rejected", code: "upstream_status_400" });
    });

    test("takes a prompt of exactly the given tokens", async () => {
      const ids = Array.from({ length: 77 }, (_, index) => 100 + index);
      const prompt = dialect.promptOfTokens?.(ids) ?? {};
      const body = { ...exact({ model: MODEL, ...prompt }), stream: true, ...USAGE };
      expect((await send(TEXT, "completions", body)).tokens).toMatchObject({ input: 77 });
    });

    test("its tokenizer agrees with what its prompts count", async () => {
      const call = dialect.tokenizer?.tokenize;
      expect(call).toBeDefined();
      const answer = await fetch(engine.url + call!.path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(call!.request("how fast does it fly", MODEL)),
      });
      const ids = call!.read(await answer.text());
      expect(ids?.length).toBeGreaterThan(2);
      const prompt = dialect.promptOfTokens?.(ids ?? []) ?? {};
      const body = { ...exact({ model: MODEL, ...prompt }), stream: true, ...USAGE };
      expect((await send(TEXT, "completions", body)).tokens.input).toBe(ids?.length);
    });

    test("its statistics follow the work and never freeze", async () => {
      const reader = new StatsReader(dialect.stats, probeOf(engine.url));
      const before = await reader.read(0, 0, signal);
      expect(before?.stats).toMatchObject({ running: 0, waiting: 0 });
      await send(CHAT, "chat", exact(chat(1)));
      const after = await reader.read(60_000, 0, signal);
      expect(after).toMatchObject({ frozen: false, restarted: false, movedAtMs: 60_000 });
      const counted = after!.stats.generationTokens! - before!.stats.generationTokens!;
      // SGLang's decode counter leaves the first token to its prefill.
      expect(counted).toBe(persona === "sglang" ? TOKENS - 1 : TOKENS);
    });

    const typed = [
      ["/v1/responses", "responses", { model: MODEL, input: "how fast", max_output_tokens: 9 }],
      [
        "/v1/messages",
        "messages",
        { model: MODEL, messages: [{ role: "user", content: "how" }], max_tokens: 9 },
      ],
    ] as const;
    test.each(typed.filter(([path]) => path in dialect.paths.inference))(
      "%s is read where the engine serves it",
      async (path, route, body) => {
        for (const stream of [true, false]) {
          const exchange = await send(path, route, { ...body, stream });
          expect(exchange.outcome.kind).toBe("completed");
          expect(exchange.tokens).toMatchObject({
            output: engine.ledger.at(-1)?.outputTokens,
            countedBy: "usage",
          });
        }
      },
    );
  });
}
