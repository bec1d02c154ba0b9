import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type LlamaServer, MODEL, startLlamaServer } from "./llama-server.ts";

/**
 * Records what a real llama-server says: `node test/real/record.ts OUT`. The bytes are kept as they came; the
 * expectations in `fixture.json` are written by people, from what the request asked for.
 */

const JSON_TYPE = { "content-type": "application/json" };
const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    parameters: { type: "object", properties: { city: { enum: ["Paris"] } }, required: ["city"] },
  },
};

/** The tokens around a tool call are made certain; the grammar does the rest. */
const forcedCall = {
  tools: [WEATHER],
  tool_choice: "required",
  logit_bias: [
    ["<tool_call>", 55],
    ["</tool_call>", 50],
  ],
  temperature: 0,
  max_tokens: 400,
};

/** The tiny model's end of sequence. */
const END_TOKEN = 2;

const CHAT = "/v1/chat/completions";
const TEXT = "/v1/completions";
const messages = [{ role: "user", content: "bad good" }];
const usage = { stream: true, stream_options: { include_usage: true } };
const quiet = { chat_template_kwargs: { enable_thinking: false }, seed: 3 };
const chat = { model: MODEL, messages, max_tokens: 8, ...quiet };
const text = { model: MODEL, prompt: "bad good", max_tokens: 8, seed: 3 };

/** What is asked, by the name of the file it is kept in. */
const asked: Readonly<Record<string, readonly [string, object]>> = {
  "chat.sse": [CHAT, { ...chat, ...usage }],
  "chat-no-usage.sse": [CHAT, { ...chat, stream: true }],
  "chat-timings.sse": [
    CHAT,
    { ...chat, stream: true, timings_per_token: true, return_progress: true },
  ],
  "chat-logprobs.sse": [CHAT, { ...chat, ...usage, logprobs: true, top_logprobs: 2 }],
  "chat-two-choices.sse": [CHAT, { ...chat, ...usage, n: 2 }],
  "chat-reasoning.sse": [CHAT, { ...chat, ...usage, chat_template_kwargs: {} }],
  "chat-tool-call.sse": [CHAT, { ...chat, ...usage, ...forcedCall }],
  "chat.json": [CHAT, chat],
  "chat-two-choices.json": [CHAT, { ...chat, n: 2 }],
  "chat-tool-call.json": [CHAT, { ...chat, ...forcedCall }],
  "chat-empty.sse": [CHAT, { ...chat, ...usage, max_tokens: 5, logit_bias: [[END_TOKEN, 100]] }],
  "chat-no-messages.json": [CHAT, { model: MODEL }],
  "chat-too-long.json": [
    CHAT,
    { ...chat, stream: true, messages: [{ role: "user", content: "bad ".repeat(40_000) }] },
  ],
  "text.sse": [TEXT, { ...text, stream: true }],
  "text-two-prompts.sse": [TEXT, { ...text, stream: true, prompt: ["bad good", "da"] }],
  "text.json": [TEXT, text],
  "text-token-ids.json": [TEXT, { ...text, prompt: [1, 300, 301, 302] }],
  "messages.sse": [
    "/v1/messages",
    { model: MODEL, messages, max_tokens: 8, stream: true, seed: 3 },
  ],
  "messages.json": ["/v1/messages", { model: MODEL, messages, max_tokens: 8, seed: 3 }],
  "responses.sse": [
    "/v1/responses",
    { model: MODEL, input: "bad", max_output_tokens: 8, stream: true },
  ],
  "responses.json": ["/v1/responses", { model: MODEL, input: "bad", max_output_tokens: 8 }],
  "count-tokens.json": ["/v1/messages/count_tokens", { model: MODEL, messages, max_tokens: 8 }],
  "tokenize.json": ["/tokenize", { content: "bad 東京", add_special: false }],
  "detokenize.json": ["/detokenize", { tokens: [529, 530] }],
};
const PAGES = ["/v1/models", "/props", "/slots", "/metrics", "/health", "/version"] as const;

async function record(out: string): Promise<void> {
  mkdirSync(out, { recursive: true });
  const generating = await startLlamaServer("--metrics", "--slots");
  await using(generating, async (url) => {
    for (const [file, [path, body]] of Object.entries(asked))
      await keep(out, file, url + path, body);
    for (const path of PAGES) await keep(out, `page${path.replaceAll("/", "-")}.txt`, url + path);
  });
  const embedding = await startLlamaServer("--embeddings", "--pooling", "mean", "--no-slots");
  await using(embedding, async (url) => {
    await keep(out, "embeddings.json", `${url}/v1/embeddings`, { model: MODEL, input: "bad good" });
    await keep(out, "page-slots-off.txt", `${url}/slots`);
    await keep(out, "page-metrics-off.txt", `${url}/metrics`);
  });
  const locked = await startLlamaServer("--api-key", "secret");
  await using(locked, async (url) => {
    await keep(out, "unauthorized.json", url + CHAT, chat);
  });
}

async function using(server: LlamaServer, work: (url: string) => Promise<void>): Promise<void> {
  try {
    await work(server.url);
  } finally {
    await server.stop();
  }
}

async function keep(out: string, file: string, url: string, body?: object): Promise<void> {
  const asking =
    body === undefined ? {} : { method: "POST", headers: JSON_TYPE, body: JSON.stringify(body) };
  const answer = await fetch(url, asking);
  const bytes = Buffer.from(await answer.arrayBuffer());
  writeFileSync(join(out, file), bytes);
  const { status, headers } = answer;
  process.stdout.write(`${file}: ${status} ${headers.get("content-type")} ${bytes.length} bytes\n`);
}

const [out] = process.argv.slice(2);
if (out === undefined) throw new Error("say where to: node test/real/record.ts OUT");
await record(out);
