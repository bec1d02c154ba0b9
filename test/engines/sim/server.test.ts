import { Agent, request } from "node:http";
import { connect } from "node:net";
import { describe, expect, test } from "vitest";
import { systemClock } from "../../../engines/clock.ts";
import type { SimulatedEngine } from "../../../engines/sim/server.ts";
import { until } from "../../harness/fleet.ts";
import { ask, CHAT, chat, PERSONAS, withEngine } from "../../harness/simulated.ts";

/** Status of a GET, or the code of the connection's error. */
async function knock(engine: SimulatedEngine, path = "/health"): Promise<number | string> {
  return fetch(engine.url + path).then(
    (answer) => answer.status,
    (error: unknown) => ((error as Error).cause as { code?: string } | undefined)?.code ?? "failed",
  );
}

/** Bytes of a raw exchange, until the other side ends it. */
function raw(engine: SimulatedEngine, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(engine.port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => (text += chunk.toString()));
    socket.on("close", () => {
      resolve(text);
    });
    socket.write(bytes);
  });
}

describe("booting", () => {
  test.each(["vllm", "tensorrt-llm"] as const)(
    "%s refuses connections until it is ready",
    async (persona) => {
      await withEngine(persona, { bootSeconds: 0.2 }, async (engine) => {
        expect(await knock(engine)).toBe("ECONNREFUSED");
        expect(engine.state()).toMatchObject({ phase: "loading", listening: false });
        await engine.ready();
        await until(async () => (await knock(engine)) === 200, "it answers");
      });
    },
  );

  test("SGLang refuses, then answers but is not healthy, then is", async () => {
    await withEngine("sglang", { bootSeconds: 0.5 }, async (engine) => {
      expect(await knock(engine)).toBe("ECONNREFUSED");
      await until(() => engine.state().phase === "warming", "it warms up");
      await until(async () => (await knock(engine, "/v1/models")) === 200, "it answers");
      expect([503, 200]).toContain(await knock(engine));
      await engine.ready();
      expect(await knock(engine)).toBe(200);
    });
  });

  test("llama.cpp listens at once and says on every route that it loads", async () => {
    await withEngine("llama.cpp", { bootSeconds: 0.3 }, async (engine) => {
      for (const path of ["/health", "/v1/models", "/metrics", "/nothing"]) {
        const answer = await ask(engine, path);
        expect(answer.status).toBe(503);
        expect(answer.json).toEqual({
          error: { message: "Loading model", type: "unavailable_error", code: 503 },
        });
        expect(answer.headers.get("server")).toBe("llama.cpp");
      }
      expect(engine.state().bootProgress).toBeLessThan(1);
      await engine.ready();
      expect(await knock(engine)).toBe(200);
      expect(engine.state().bootProgress).toBe(1);
    });
  });
});

describe.each(PERSONAS)("%s", (persona) => {
  test("restarts: everything is cut, the port is gone, and it comes back with nothing counted", async () => {
    await withEngine(persona, { bootSeconds: 0.05, speed: 1 }, async (engine) => {
      await engine.ready();
      const running = ask(engine, CHAT, chat(5000)).catch(() => "cut");
      await until(() => engine.stats().outputTokens > 0, "it generates");
      const { url } = engine;
      engine.setFaults([{ kind: "restart", downSeconds: 0.2 }]);
      expect(await running).toBe("cut");
      expect(engine.state().phase).toBe("down");
      await until(async () => (await knock(engine)) === "ECONNREFUSED", "the port is gone");
      await engine.ready();
      await until(async () => (await knock(engine, "/v1/models")) === 200, "it is back");
      expect(engine.url).toBe(url);
      expect(engine.stats()).toMatchObject({ received: 0, outputTokens: 0, running: 0 });
      expect(engine.state()).toMatchObject({ restarts: 1, faults: [] });
      expect(engine.ledger).toHaveLength(1);
    });
  });

  test("refuses for a while and heals by itself; who is inside stays", async () => {
    await withEngine(persona, { speed: 1 }, async (engine) => {
      const inside = ask(engine, CHAT, chat(60));
      await until(() => engine.stats().running === 1, "it runs");
      engine.setFaults([{ kind: "refuse", forSeconds: 0.3 }]);
      await until(async () => (await knock(engine)) === "ECONNREFUSED", "it refuses");
      expect((await inside).done).toBe(true);
      await until(async () => (await knock(engine)) === 200, "it is healed");
      expect(engine.state().faults).toEqual([]);
    });
  });

  test("stops working for a client that left, after its own delay", async () => {
    await withEngine(persona, { speed: 2 }, async (engine) => {
      const left = new AbortController();
      const headers = { "content-type": "application/json" };
      const body = JSON.stringify(chat(8000));
      void fetch(engine.url + CHAT, { method: "POST", headers, body, signal: left.signal }).catch(
        () => {},
      );
      await until(() => engine.stats().running === 1, "it runs");
      left.abort();
      await until(() => engine.stats().running === 0, "it lets go");
      const row = engine.ledger[0]!;
      const wastedMs = (row.lastTokenMs ?? row.receivedMs) - row.abortedMs!;
      const delayMs = { vllm: 0, sglang: 1000, "tensorrt-llm": 500, "llama.cpp": 0 }[persona];
      expect(wastedMs).toBeGreaterThan(delayMs - 200);
      expect(engine.stats()).toMatchObject({ aborted: 1, finished: 0 });
    });
  });

  test("answers an HTTP/1.0 client without chunks", async () => {
    await withEngine(persona, {}, async (engine) => {
      const body = JSON.stringify(chat(3));
      const answer = await raw(
        engine,
        `POST ${CHAT} HTTP/1.0\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
      expect(answer).toMatch(/^HTTP\/1\.[01] 200/);
      expect(answer).not.toMatch(/transfer-encoding/i);
      expect(answer).toMatch(/\r\n\r\ndata: [^]*\[DONE\]\n\n$/);
    });
  });

  test("answers two streams asked for at once on one connection, one after the other", async () => {
    await withEngine(persona, {}, async (engine) => {
      const body = JSON.stringify(chat(4));
      const one = (close: string): string =>
        `POST ${CHAT} HTTP/1.1\r\nhost: a\r\n${close}content-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
      const answer = await raw(engine, one("") + one("connection: close\r\n"));
      expect(answer.match(/HTTP\/1.1 200/g)).toHaveLength(2);
      expect(answer.match(/\[DONE\]/g)).toHaveLength(2);
      expect(answer.indexOf("[DONE]")).toBeLessThan(answer.lastIndexOf("HTTP/1.1 200"));
      expect(answer.match(/\r\n0\r\n\r\n/g)).toHaveLength(2);
    });
  });

  test("loses nothing to a reader who comes late", async () => {
    await withEngine(persona, { speed: 400, fixedIds: true }, async (engine) => {
      const fast = await ask(engine, CHAT, chat(20_000));
      const body = JSON.stringify(chat(20_000));
      const text = await new Promise<string>((resolve) => {
        const options = { method: "POST", headers: { "content-type": "application/json" } };
        const client = request(engine.url + CHAT, options, (answer) => {
          let read = "";
          void until(() => engine.ledger[1]?.finishedMs !== null, "it has finished", 20_000).then(
            () => {
              answer.setEncoding("utf8");
              answer.on("data", (chunk: string) => (read += chunk));
              answer.on("end", () => {
                resolve(read);
              });
            },
          );
        });
        client.end(body);
      });
      const words = (all: string): string =>
        [...all.matchAll(/"content":("(?:[^"\\]|\\.)*")/g)]
          .map(([, one]) => JSON.parse(one ?? '""') as string)
          .join("");
      expect(words(text)).toBe(words(fast.text));
    });
  }, 60_000);
});

test("a slow accept delays the first look at a connection", async () => {
  await withEngine("vllm", { faults: [{ kind: "slow-accept", delayMs: 150 }] }, async (engine) => {
    const startedMs = systemClock.nowMs();
    expect(
      await raw(engine, "GET /health HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
    ).toMatch(/^HTTP\/1.1 200/);
    expect(systemClock.nowMs() - startedMs).toBeGreaterThan(149);
  });
});

test("slow headers come late and whole", async () => {
  await withEngine("vllm", { faults: [{ kind: "slow-headers", delayMs: 100 }] }, async (engine) => {
    const startedMs = systemClock.nowMs();
    expect((await ask(engine, CHAT, chat(2))).done).toBe(true);
    expect(systemClock.nowMs() - startedMs).toBeGreaterThan(99);
  });
});

test("llama.cpp closes a connection with its hundredth answer", async () => {
  await withEngine("llama.cpp", {}, async (engine) => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const get = (): Promise<{ connection: string | undefined; keepAlive: unknown }> =>
      new Promise((resolve) => {
        request(`${engine.url}/health`, { agent }, (answer) => {
          answer.resume();
          const { connection } = answer.headers;
          answer.on("end", () => {
            resolve({ connection, keepAlive: answer.headers["keep-alive"] });
          });
        }).end();
      });
    for (let index = 1; index < 100; index++) {
      const { connection, keepAlive } = await get();
      expect(connection === "close" ? index : 0).toBe(0);
      expect(keepAlive).toBe("timeout=5, max=100");
    }
    expect((await get()).connection).toBe("close");
    expect((await get()).connection).not.toBe("close");
    agent.destroy();
  });
});
