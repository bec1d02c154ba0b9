import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, streamText, tool, type ToolSet } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chatBody, MODEL, startFleet, type TestFleet, until } from "../harness/fleet.ts";

const run = promisify(execFile);
const messages = [{ role: "user" as const, content: "How fast does it fly?" }];
const parameters = {
  type: "object" as const,
  properties: { city: { type: "string" as const } },
  required: ["city"],
};
const tools = [
  {
    type: "function" as const,
    function: { name: "weather", description: "Weather of a city", parameters },
  },
];

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startFleet(["vllm"], { engine: { fixedIds: true, speed: 8, prefixCache: false } });
});
afterAll(() => fleet.stop());

/** The same question to the engine itself and through the proxy. */
async function both<Result>(
  ask: (origin: string) => Promise<Result>,
): Promise<[direct: Result, proxied: Result]> {
  return [await ask(fleet.engines[0]!.url), await ask(fleet.proxy.dataUrl)];
}

const openai = (origin: string): OpenAI =>
  new OpenAI({ baseURL: `${origin}/v1`, apiKey: "none", maxRetries: 0 });

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe("the official OpenAI client hears through the proxy what it hears from the engine:", () => {
  const QUESTIONS: Readonly<Record<string, (client: OpenAI) => Promise<unknown>>> = {
    "a chat": (client) =>
      client.chat.completions.create({ model: MODEL, messages, max_completion_tokens: 12 }),
    "a streamed chat": async (client) =>
      collect(
        await client.chat.completions.create({
          model: MODEL,
          messages,
          max_completion_tokens: 12,
          stream: true,
          stream_options: { include_usage: true },
        }),
      ),
    "a completion": (client) =>
      client.completions.create({ model: MODEL, prompt: "Once", max_tokens: 8 }),
    "a streamed completion": async (client) =>
      collect(
        await client.completions.create({
          model: MODEL,
          prompt: "Once",
          max_tokens: 8,
          stream: true,
        }),
      ),
    "a tool call": (client) =>
      client.chat.completions.create({
        model: MODEL,
        messages,
        tools,
        tool_choice: "required",
        max_completion_tokens: 40,
      }),
    "a streamed tool call": async (client) =>
      collect(
        await client.chat.completions.create({
          model: MODEL,
          messages,
          tools,
          tool_choice: "required",
          stream: true,
          max_completion_tokens: 40,
        }),
      ),
    "an embedding": (client) =>
      client.embeddings.create({ model: MODEL, input: ["one", "two"], encoding_format: "float" }),
  };

  test.each(Object.entries(QUESTIONS))("%s", async (_name, ask) => {
    const [direct, proxied] = await both(async (origin) => ask(openai(origin)).catch(briefly));
    expect(proxied).toEqual(direct);
  });

  test("retries as it is told to: a 503 with retry-after-ms is asked again, and not twice over", async () => {
    fleet.engines[0]!.setFaults([{ kind: "status", status: 503 }]);
    const client = new OpenAI({
      baseURL: `${fleet.proxy.dataUrl}/v1`,
      apiKey: "none",
      maxRetries: 1,
    });
    const before = fleet.proxy.telemetry.ring.total;
    const failed = await client.chat.completions
      .create({ model: MODEL, messages })
      .catch((error: unknown) => error);
    fleet.engines[0]!.setFaults([]);
    expect(failed).toBeInstanceOf(OpenAI.InternalServerError);
    await until(
      () => fleet.proxy.telemetry.ring.total === before + 2,
      "two requests of one try each",
    );
    const [last, first] = fleet.proxy.telemetry.ring.newest();
    expect([first!.attempts.length, last!.attempts.length]).toEqual([1, 1]);
  });
});

/** An error as far as its reader sees it; ids and times differ from call to call. */
function briefly(error: unknown): object {
  const { status, code, type } = error as { status?: number; code?: string; type?: string };
  return { status, code, type };
}

describe("Vercel's ai hears through the proxy what it hears from the engine:", () => {
  const provider = (origin: string): ReturnType<typeof createOpenAICompatible> =>
    createOpenAICompatible({ name: "pitot", baseURL: `${origin}/v1` });

  test("a text", async () => {
    const [direct, proxied] = await both(async (origin) => {
      const { text, finishReason, usage } = await generateText({
        model: provider(origin)(MODEL),
        prompt: "How fast?",
        maxOutputTokens: 12,
        maxRetries: 0,
      });
      return { text, finishReason, usage };
    });
    expect(direct.text).not.toBe("");
    expect(proxied).toEqual(direct);
  });

  test("a streamed text", async () => {
    const [direct, proxied] = await both(async (origin) => {
      const { textStream } = streamText({
        model: provider(origin)(MODEL),
        prompt: "How fast?",
        maxOutputTokens: 12,
        maxRetries: 0,
      });
      return collect(textStream);
    });
    expect(direct.length).toBeGreaterThan(3);
    expect(proxied).toEqual(direct);
  });

  test("a tool call", async () => {
    const weather = tool({
      description: "Weather of a city",
      inputSchema: jsonSchema<{ city: string }>(parameters),
    });
    const [direct, proxied] = await both(async (origin) => {
      const { toolCalls } = await generateText({
        model: provider(origin)(MODEL),
        prompt: "How fast?",
        // The package's own types do not hold under exactOptionalPropertyTypes.
        tools: { weather } as unknown as ToolSet,
        toolChoice: "required",
        maxRetries: 0,
      });
      return toolCalls.map(({ toolName, input }) => ({ toolName, input }));
    });
    expect(direct).toHaveLength(1);
    expect(proxied).toEqual(direct);
  });

  test("embeddings", async () => {
    const [direct, proxied] = await both(async (origin) => {
      const { embeddings } = await embedMany({
        model: provider(origin).textEmbeddingModel(MODEL),
        values: ["one", "two"],
        maxRetries: 0,
      });
      return embeddings;
    });
    expect(direct).toHaveLength(2);
    expect(proxied).toEqual(direct);
  });

  test("and frees the engine when it aborts", async () => {
    const stop = new AbortController();
    const { textStream } = streamText({
      model: provider(fleet.proxy.dataUrl)(MODEL),
      prompt: "On and on",
      maxOutputTokens: 60_000,
      // As long as that, however busy the machine is before somebody looks.
      providerOptions: { pitot: { min_tokens: 60_000, ignore_eos: true } },
      abortSignal: stop.signal,
      maxRetries: 0,
    });
    const reading = collect(textStream).catch(() => []);
    await until(() => fleet.engines[0]!.stats().running > 0, "the engine works");
    stop.abort();
    await reading;
    await until(
      () => fleet.engines[0]!.stats().running === 0 && fleet.proxy.feed.inFlightCount === 0,
      "the engine is free",
    );
  });
});

describe("curl hears through the proxy what it hears from the engine:", () => {
  const curl = async (origin: string, path: string, body: string): Promise<string> => {
    const args = ["-sSN", `${origin}${path}`, "-H", "content-type: application/json", "-d", body];
    return (await run("curl", args)).stdout;
  };

  test.each([
    ["a streamed chat", "/v1/chat/completions", chatBody({ tokens: 12 })],
    ["a chat", "/v1/chat/completions", chatBody({ tokens: 12, stream: false })],
    [
      "a completion",
      "/v1/completions",
      JSON.stringify({ model: MODEL, prompt: "Once", max_tokens: 8 }),
    ],
    ["embeddings", "/v1/embeddings", JSON.stringify({ model: MODEL, input: "one" })],
  ])("%s", async (_name, path, body) => {
    const [direct, proxied] = await both((origin) => curl(origin, path, body));
    expect(direct).not.toBe("");
    expect(proxied).toBe(direct);
  });

  test("a body so large that curl asks before it sends it", async () => {
    const body = chatBody({ prompt: "word ".repeat(220_000), tokens: 2, stream: false });
    const [direct, proxied] = await both(async (origin) => {
      const args = [
        "-sS",
        "-w",
        "%{http_code}",
        "--data-binary",
        "@-",
        `${origin}/v1/chat/completions`,
      ];
      const headers = ["content-type: application/json", "expect: 100-continue"].flatMap((one) => [
        "-H",
        one,
      ]);
      const asking = run("curl", [...args, ...headers]);
      asking.child.stdin?.end(body);
      return (await asking).stdout;
    });
    expect(direct).toMatch(/400$/);
    expect(proxied).toBe(direct);
  });
});
