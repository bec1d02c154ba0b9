import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { engines } from "../../../engines/index.ts";
import { BodyBudget } from "../../../proxy/http/body-budget.ts";
import { HeldBody } from "../../../proxy/http/held-body.ts";
import { JsonPeek } from "../../../proxy/http/json-peek.ts";
import { usageRequest } from "../../../proxy/http/usage-request.ts";

const ASKED = { include_usage: true, continuous_usage_stats: false };

interface Asking {
  readonly engine?: keyof typeof engines;
  readonly headers?: readonly string[];
  readonly pieceBytes?: number;
  readonly budgetBytes?: number;
}

/** What an engine is sent for a body, and the length that is stated; `null` for the client's own bytes. */
function asked(text: string, options: Asking = {}): { text: string; stated: number } | null {
  const { engine = "vllm", headers = [], pieceBytes = 1_000_000, budgetBytes = 10e6 } = options;
  const bytes = Buffer.from(text);
  const body = new HeldBody(new BodyBudget(budgetBytes));
  const peek = new JsonPeek(new Set(["stream_options"]));
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    peek.push(piece);
    body.add(piece);
  }
  body.close();
  const usage = usageRequest({ route: "chat", rawHeaders: headers, peek: peek.result() });
  const asking = usage?.of(body, engines[engine]) ?? null;
  if (asking === null) return null;
  const sent = Buffer.isBuffer(asking.body) ? asking.body : Buffer.concat([...asking.body]);
  return { text: String(sent), stated: Number(asking.headers[1]) };
}

describe("a body that asks for usage on the client's behalf", () => {
  test("differs from the client's in that one value and nowhere else, wherever it was cut", () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })),
        fc.constantFrom(undefined, null, { include_usage: false }, { include_obfuscation: false }),
        fc.integer({ min: 1, max: 50 }),
        fc.constantFrom(undefined, 2),
        (fields, options, pieceBytes, indent) => {
          const { stream_options: _, ...rest } = fields;
          const given = options === undefined ? rest : { ...rest, stream_options: options };
          const whole = { ...given, stream: true };
          const text = ` ${JSON.stringify(whole, null, indent)}\n`;
          const { text: sent, stated } = asked(text, { pieceBytes })!;
          const want = { ...whole, stream_options: { ...options, ...ASKED } };
          expect(JSON.parse(sent)).toEqual(JSON.parse(JSON.stringify(want)));
          expect(stated).toBe(Buffer.byteLength(sent));
          const added = `"stream_options":${JSON.stringify(ASKED)},`;
          const others = options === undefined ? sent.replace(added, "") : text;
          expect(others).toBe(text);
        },
      ),
    );
  });

  test("keeps what a second parser would read differently: spaces, numbers and doubled keys", () => {
    const text = '{ "stream":true,"seed":12345678901234567890, "a":1e2,"a" : 1.0 }';
    expect(asked(text)?.text).toBe(`{"stream_options":${JSON.stringify(ASKED)},${text.slice(1)}`);
  });

  test("changes the last of several options, which is the one that counts", () => {
    const sent = asked('{"stream_options":{"include_usage":true},"stream_options":null}');
    expect(JSON.parse(sent!.text)).toEqual({ stream_options: ASKED });
  });

  test("is in pieces for a large body, and costs no copy of it", () => {
    const text = JSON.stringify({ prompt: "x".repeat(200_000), stream: true });
    const sent = asked(text, { pieceBytes: 65_536, budgetBytes: text.length + 100 });
    expect(sent?.text).toHaveLength(sent!.stated);
  });

  test.each<[string, string, Asking]>([
    ["it asks already", '{"stream_options":{"include_usage":true}}', {}],
    ["usage comes with every event", '{"stream_options":{"continuous_usage_stats":true}}', {}],
    ["the options are no object", '{"stream_options":[1]}', {}],
    ["the options are too long to be read", `{"stream_options":{"a":"${"x".repeat(2_000)}"}}`, {}],
    ["include_usage is no boolean", '{"stream_options":{"include_usage":"no"}}', {}],
    ["any options ask this engine", '{"stream_options":{}}', { engine: "tensorrt-llm" }],
    ["timings say as much", "{}", { engine: "llama.cpp" }],
    ["the engine is unknown", "{}", { engine: "openai" }],
    ["a digest vouches for it", '{"a":1}', { headers: ["Content-Digest", "sha-256=:x:"] }],
    ["there is no room for a second one", '{"a":1}', { budgetBytes: 10 }],
  ])("is the client's own where %s", (_name, text, options) => {
    expect(asked(text, options)).toBeNull();
  });
});
