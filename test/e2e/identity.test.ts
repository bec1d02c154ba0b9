import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request } from "undici";
import { chatBody, JSON_HEADERS, MODEL, startFleet, type TestFleet } from "../harness/fleet.ts";

const PERSONAS = ["vllm", "sglang", "tensorrt-llm", "llama.cpp"] as const;

describe.each(PERSONAS)("through the proxy, %s", (persona) => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await startFleet([persona], { engine: { fixedIds: true, speed: 4 } });
  });
  afterAll(() => fleet.stop());

  const CASES = {
    "a streamed chat": ["/v1/chat/completions", chatBody({ tokens: 40 })],
    "an unstreamed chat": ["/v1/chat/completions", chatBody({ tokens: 40, stream: false })],
    "a streamed completion": [
      "/v1/completions",
      JSON.stringify({
        model: MODEL,
        prompt: [1, 2, 3, 4],
        max_tokens: 20,
        min_tokens: 20,
        ignore_eos: true,
        stream: true,
      }),
    ],
    "an unstreamed completion": [
      "/v1/completions",
      JSON.stringify({ model: MODEL, prompt: "naïve façade 東京", max_tokens: 20, stream: false }),
    ],
    "a refusal of the engine's": [
      "/v1/chat/completions",
      JSON.stringify({ model: MODEL, messages: [] }),
    ],
  } as const;

  test.each(Object.entries(CASES))(
    "%s has the bytes of a direct call",
    async (_name, [path, body]) => {
      const ask = async (
        origin: string,
      ): Promise<{ status: number; type: unknown; bytes: string }> => {
        const answer = await request(origin + path, {
          method: "POST",
          headers: JSON_HEADERS,
          body,
        });
        const bytes = Buffer.from(await answer.body.arrayBuffer()).toString("hex");
        return { status: answer.statusCode, type: answer.headers["content-type"], bytes };
      };
      const direct = await ask(fleet.engines[0]!.url);
      expect(direct.bytes.length).toBeGreaterThan(20);
      expect(await ask(fleet.proxy.dataUrl)).toEqual(direct);
    },
  );

  test("is recognised, and answers carry the contract's headers", async () => {
    expect(fleet.proxy.fleet.views()[0]).toMatchObject({
      engine: persona,
      state: "up",
      models: [MODEL],
    });
    const answer = await request(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { ...JSON_HEADERS, "x-request-id": "given-1" },
      body: chatBody({ tokens: 2 }),
    });
    await answer.body.text();
    expect(answer.headers).toMatchObject({
      "x-request-id": "given-1",
      "x-pitot-replica": `${persona}-0`,
      "x-pitot-attempts": "1",
    });
    expect(answer.headers["server-timing"]).toMatch(
      /^queue;dur=[\d.]+, connect;dur=[\d.]+, upstream;dur=[\d.]+$/,
    );
  });
});
