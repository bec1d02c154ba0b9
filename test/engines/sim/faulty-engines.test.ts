import { describe, expect, test } from "vitest";
import type { Fault } from "../../../engines/sim/faults.ts";
import { until } from "../../harness/fleet.ts";
import {
  ask,
  CHAT,
  chat,
  finishOf,
  PERSONAS,
  said,
  TEXT,
  withEngine,
} from "../../harness/simulated.ts";

describe.each(PERSONAS)("%s with a fault", (persona) => {
  const given = (faults: readonly Fault[], act: Parameters<typeof withEngine>[2]): Promise<void> =>
    withEngine(persona, { faults }, act);

  test("refuses with a status and Retry-After", async () => {
    await given([{ kind: "status", status: 429, retryAfterSeconds: 2 }], async (engine) => {
      const answer = await ask(engine, CHAT, chat(2));
      expect(answer.status).toBe(429);
      expect(answer.headers.get("retry-after")).toBe("2");
      expect(answer.json).not.toBeNull();
    });
  });

  test.each(["fin", "rst"] as const)("cuts the connection by %s in the middle", async (how) => {
    await given([{ kind: "cut", afterTokens: 3, how, first: 1 }], async (engine) => {
      await expect(ask(engine, CHAT, chat(20))).rejects.toThrow(/terminated|failed/);
      await until(() => engine.stats().running === 0, "the engine lets go");
      expect((await ask(engine, CHAT, chat(4))).done).toBe(true);
    });
  });

  test("says nothing more after so many tokens, and is freed when the client leaves", async () => {
    await given([{ kind: "stall", afterTokens: 2 }], async (engine) => {
      const left = new AbortController();
      const body = JSON.stringify(chat(40));
      const headers = { "content-type": "application/json" };
      const answer = await fetch(engine.url + CHAT, {
        method: "POST",
        headers,
        body,
        signal: left.signal,
      });
      await until(() => engine.ledger[0]?.finishedMs !== null, "the engine has finished");
      left.abort();
      await expect(answer.text()).rejects.toThrow(/abort/);
      expect(engine.stats()).toMatchObject({ running: 0, waiting: 0 });
    });
  });

  test("sends an error inside its 200 as the engine does", async () => {
    await given([{ kind: "error-event", afterTokens: 2 }], async (engine) => {
      const answer = await ask(engine, TEXT, {
        prompt: "a",
        max_tokens: 9,
        ignore_eos: true,
        stream: true,
      });
      expect(answer.status).toBe(200);
      expect(answer.text).toContain('"error":');
      expect(answer.done).toBe(persona !== "llama.cpp");
    });
  });

  test("ends without its end mark, or without usage, or with a wrong one", async () => {
    const usage = { stream_options: { include_usage: true } };
    await given([{ kind: "no-done" }], async (engine) => {
      expect((await ask(engine, CHAT, chat(3))).done).toBe(false);
    });
    await given([{ kind: "no-usage" }], async (engine) => {
      const answer = await ask(engine, CHAT, chat(3, usage));
      expect(answer.text).not.toContain('"usage"');
      expect(answer.done).toBe(true);
    });
    await given([{ kind: "wrong-usage", offTokens: 5 }], async (engine) => {
      expect(
        (await ask(engine, CHAT, chat(3, usage))).events.at(-1)?.usage?.completion_tokens,
      ).toBe(8);
    });
  });

  test("sends garbage, at once or later", async () => {
    await given([{ kind: "garbage" }], async (engine) => {
      expect((await ask(engine, CHAT, chat(3))).text).toBe("data: {not json\n\n");
      expect((await ask(engine, CHAT, chat(3, { stream: false }))).json).toBeNull();
    });
    await given([{ kind: "garbage", afterTokens: 2 }], async (engine) => {
      const answer = await ask(engine, CHAT, chat(9));
      expect(said(answer, "content")).not.toBe("");
      expect(answer.text).toMatch(/data: \{not json\n\n$/);
    });
  });

  test("goes on for nobody as a zombie", async () => {
    await withEngine(persona, { speed: 20, faults: [{ kind: "zombie" }] }, async (engine) => {
      const left = new AbortController();
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify(chat(60));
      await fetch(engine.url + CHAT, { method: "POST", headers, body, signal: left.signal });
      left.abort();
      await until(() => engine.ledger[0]?.finishedMs !== null, "it finishes all the same");
      expect(engine.ledger[0]).toMatchObject({
        outputTokens: 60,
        abortedMs: expect.any(Number) as number,
      });
    });
  });

  test("stands still and goes on when healed", async () => {
    await given([{ kind: "freeze" }], async (engine) => {
      const waiting = ask(engine, CHAT, chat(3));
      await until(() => engine.stats().waiting === 1, "it waits");
      engine.setFaults([]);
      expect(finishOf(await waiting)).toBe("length");
    });
  });

  test("admits nobody when its memory is full, until it is not", async () => {
    await given([{ kind: "memory-full" }], async (engine) => {
      expect(engine.stats().kvUsage).toBeCloseTo(1);
      const waiting = ask(engine, CHAT, chat(3));
      await until(() => engine.stats().waiting === 1, "it waits for blocks");
      engine.setFaults([]);
      expect(finishOf(await waiting)).toBe("length");
      expect(engine.stats().kvUsage).toBeLessThan(0.01);
    });
  });

  test("hangs on health alone", async () => {
    await given([{ kind: "hang", page: "health", forMs: 30 }], async (engine) => {
      const startedMs = performance.now();
      await ask(engine, "/health");
      expect(performance.now() - startedMs).toBeGreaterThan(29);
      expect((await ask(engine, "/v1/models")).status).toBe(200);
    });
  });

  test("shows old figures when its metrics are stale", async () => {
    const page = {
      vllm: "/metrics",
      sglang: "/metrics",
      "tensorrt-llm": "/prometheus/metrics",
      "llama.cpp": "/metrics",
    }[persona];
    await given([], async (engine) => {
      const metrics = async (): Promise<string> => (await ask(engine, page)).text;
      engine.setFaults([{ kind: "stale-metrics" }]);
      const before = await metrics();
      await ask(engine, CHAT, chat(3));
      expect(await metrics()).toBe(before);
      engine.setFaults([]);
      expect(await metrics()).not.toBe(before);
    });
  });
});

test("three times slower is three times slower", async () => {
  const time = async (faults: readonly Fault[]): Promise<number> => {
    let ms = 0;
    await withEngine("vllm", { speed: 1, faults }, async (engine) => {
      await ask(engine, CHAT, chat(30));
      const row = engine.ledger[0]!;
      ms = row.lastTokenMs! - row.firstTokenMs!;
    });
    return ms;
  };
  const ratio = (await time([{ kind: "slow", factor: 3 }])) / (await time([]));
  expect(ratio).toBeGreaterThan(2);
  expect(ratio).toBeLessThan(4);
});
