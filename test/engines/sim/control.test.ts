import { describe, expect, test } from "vitest";
import { SetupError } from "../../../engines/sim/engine-setup.ts";
import { startSimulatedEngine } from "../../../engines/sim/server.ts";
import { MODEL, until } from "../../harness/fleet.ts";
import { ask, CHAT, chat, type PersonaName, withEngine } from "../../harness/simulated.ts";

describe("an API key", () => {
  test.each<[PersonaName, string, number, number]>([
    ["vllm", "/v1/models", 401, 200],
    ["vllm", "/metrics", 200, 200],
    ["sglang", "/v1/models", 401, 200],
    ["sglang", "/server_info", 401, 200],
    ["sglang", "/metrics", 200, 200],
    ["llama.cpp", "/props", 401, 200],
    ["llama.cpp", "/health", 200, 200],
  ])("of %s on %s: %i without, %i with", async (persona, path, without, held) => {
    await withEngine(persona, { apiKey: "secret" }, async (engine) => {
      expect((await ask(engine, path)).status).toBe(without);
      expect((await ask(engine, path, undefined, { authorization: "Bearer wrong" })).status).toBe(
        without,
      );
      expect((await ask(engine, path, undefined, { authorization: "Bearer secret" })).status).toBe(
        held,
      );
      const other = (await ask(engine, path, undefined, { "x-api-key": "secret" })).status;
      expect(other).toBe(persona === "llama.cpp" ? held : without);
    });
  });

  test("is refused where the engine has none", async () => {
    await expect(
      startSimulatedEngine({ persona: "tensorrt-llm", model: MODEL, apiKey: "x" }),
    ).rejects.toThrow(SetupError);
  });
});

describe("the control routes", () => {
  test("switch faults, tell whom they met, and heal", async () => {
    await withEngine("vllm", {}, async (engine) => {
      const put = (body: string, path = "/_sim/faults"): Promise<Response> =>
        fetch(engine.url + path, { method: "PUT", body });
      expect((await put('[{"kind":"no-done","first":1}]')).status).toBe(200);
      expect((await ask(engine, CHAT, chat(2))).done).toBe(false);
      expect((await ask(engine, CHAT, chat(2))).done).toBe(true);
      expect((await ask(engine, "/_sim/state")).json).toMatchObject({
        persona: "vllm",
        phase: "ready",
        met: [1],
        ledger: { requests: 2, finished: 2, outputTokens: 4 },
        lag: { p99Ms: expect.any(Number) as number, isTheLimit: expect.any(Boolean) as boolean },
      });
      expect((await ask(engine, "/_sim/ledger?limit=1")).json).toHaveLength(1);
      await fetch(`${engine.url}/_sim/faults`, { method: "DELETE" });
      expect(engine.state().faults).toEqual([]);
      expect(
        await (await put('[{"atSeconds":0,"faults":[{"kind":"freeze"}]}]', "/_sim/script")).json(),
      ).toEqual({ steps: 1 });
      await until(() => engine.state().faults.length === 1, "the script has begun");
    });
  });

  test.each([
    ["PUT", "/_sim/faults", "nope", 400, "must be JSON"],
    ["PUT", "/_sim/faults", '[{"kind":"x"}]', 400, "is unknown"],
    ["PUT", "/_sim/script", "[5]", 400, "step 1"],
    ["GET", "/_sim/ledger?limit=0", undefined, 400, "limit must be"],
    ["GET", "/_sim/nothing", undefined, 404, "GET /_sim lists them"],
    ["POST", "/_sim/state", "{}", 404, "no route"],
  ])("refuse %s %s with %j in a sentence", async (method, path, body, status, sentence) => {
    await withEngine("sglang", {}, async (engine) => {
      const answer = await fetch(engine.url + path, {
        method,
        ...(body === undefined ? {} : { body }),
      });
      expect(answer.status).toBe(status);
      expect(((await answer.json()) as { error: string }).error).toContain(sentence);
    });
  });
});
