import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import { until } from "../harness/fleet.ts";
import {
  chat,
  chunk,
  type RawFleet,
  recordAfter,
  ROLE,
  SSE_HEAD,
  startRawFleet,
  stream,
  token,
} from "./raw-fleet.ts";

let fleet: RawFleet;
afterEach(() => fleet.stop());

describe("an engine that keeps its client waiting", () => {
  test.each([
    ["F28 without headers", "", 504, "first_token_timeout"],
    ["F29 after headers alone, which were held for it", SSE_HEAD, 504, "first_token_timeout"],
    ["F29 after a first event without a token", SSE_HEAD + chunk(ROLE), 200, "first_token_timeout"],
    [
      "F30 in the middle of its answer, comments or not",
      SSE_HEAD + chunk(ROLE + token() + ": ping\n\n"),
      200,
      "upstream_stalled",
    ],
  ])("%s is cut at its limit with its code and no [DONE]", async (_name, bytes, status, code) => {
    fleet = await startRawFleet(1, { limits: { firstTokenMs: 200, stallMs: 200 } });
    let isClosed = false;
    fleet.upstreams[0]!.script = (socket) => {
      if (bytes !== "") socket.write(bytes);
      socket.once("close", () => (isClosed = true));
    };
    const startedMs = systemClock.nowMs();
    const { answer, text, record } = await fleet.ask(chat());
    expect(systemClock.nowMs() - startedMs).toBeGreaterThanOrEqual(190);
    expect([answer.status, text.includes(`"code":"${code}"`), text.includes("[DONE]")]).toEqual([
      status,
      true,
      false,
    ]);
    expect(record.outcome).toMatchObject({ code });
    await until(() => isClosed, "the engine is let go");
  });

  test("beyond what its client gives it is cut with deadline_exceeded, and the replica is not blamed", async () => {
    fleet = await startRawFleet(2);
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => void socket.write(SSE_HEAD + chunk(token()));
    const { answer, text, record } = await fleet.ask(
      chat({ headers: "x-pitot-timeout-ms: 150\r\n" }),
    );
    expect([answer.status, answer.isComplete, text.includes("deadline_exceeded")]).toEqual([
      200,
      false,
      true,
    ]);
    expect(record.outcome).toEqual({ kind: "cut", code: "deadline_exceeded" });
    expect(fleet.proxy.fleet.views().some((view) => view.breakerOpen)).toBe(false);
  });

  test.each(["soon", "0", "-3"])(
    "for an unreadable time (%s) is not asked at all",
    async (value) => {
      fleet = await startRawFleet(1);
      const { answer, text } = await fleet.ask(
        chat({ headers: `x-pitot-timeout-ms: ${value}\r\n` }),
      );
      expect([answer.status, fleet.seen()]).toEqual([400, 0]);
      expect(text).toContain("x-pitot-timeout-ms");
    },
  );

  test("of one model alone has that model's limit alone", async () => {
    fleet = await startRawFleet(1, { limits: { models: { slow: { firstTokenMs: 100 } } } });
    fleet.upstreams[0]!.script = (socket, request) => {
      if (!request.body.includes('"slow"')) stream()(socket, request);
    };
    const other = fleet.ask(chat());
    expect((await other).answer.status).toBe(200);
  });
});

describe("a client that does not read", () => {
  test("F33 holds its engine back: writes stop, and little is kept", async () => {
    fleet = await startRawFleet(1);
    let written = 0;
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD);
      const flood = chunk(token("x".repeat(60_000)));
      const pour = (): void => {
        while (!socket.destroyed && written < 64 * 2 ** 20) {
          written += flood.length;
          if (!socket.write(flood)) break;
        }
        socket.once("drain", pour);
      };
      pour();
    };
    const client = await fleet.send(chat());
    client.socket.pause();
    await until(() => written > 2 ** 20, "it floods");
    let before = -1;
    // Quiet for a quarter of a second: nobody takes any more.
    await until(
      async () => {
        before = written;
        await systemClock.after(250);
        return written === before;
      },
      "writes stop",
      10_000,
    );
    expect(written).toBeLessThan(16 * 2 ** 20);
    client.destroy();
    await until(() => fleet.proxy.feed.inFlightCount === 0, "it is over");
  });

  test("F34, F35 for longer than the limit is cut on both sides; another's stream never waits for it", async () => {
    fleet = await startRawFleet(1, { limits: { writeStallMs: 300 } });
    let closed = 0;
    fleet.upstreams[0]!.script = (socket, request) => {
      socket.once("close", () => closed++);
      if (request.headers.some(([name]) => name === "x-short")) return stream()(socket, request);
      socket.write(SSE_HEAD);
      const flood = chunk(token("x".repeat(60_000)));
      const pour = (): void => {
        while (!socket.destroyed && socket.write(flood));
        if (!socket.destroyed) socket.once("drain", pour);
      };
      pour();
    };
    const before = fleet.proxy.telemetry.ring.total;
    const client = await fleet.send(chat());
    client.socket.pause();
    await until(() => fleet.seen() === 1, "it flows");
    const other = await fleet.send(chat({ headers: "x-short: 1\r\n" }));
    expect((await other.answers())[0]).toMatchObject({ status: 200, isComplete: true });
    await until(() => fleet.proxy.feed.inFlightCount === 0, "the stalled one is cut", 5_000);
    await until(() => closed >= 1, "its engine is let go");
    expect(fleet.proxy.telemetry.ring.total).toBe(before + 2);
    const [newest] = fleet.proxy.telemetry.ring.newest();
    expect(newest?.outcome).toEqual({ kind: "cancelled", phase: "decode" });
    expect(newest?.attempts.at(-1)?.result).toBe("client_stall");
    client.destroy();
  });
});

test("F42 the time to the headers and the time to the first token are two figures", async () => {
  fleet = await startRawFleet(1);
  fleet.upstreams[0]!.script = (socket, request) => {
    socket.write(SSE_HEAD);
    setTimeout(
      () =>
        stream()(
          { write: (text: string) => socket.write(text.replace(SSE_HEAD, "")) } as never,
          request,
        ),
      120,
    );
  };
  const { record } = await fleet.ask(chat());
  const apart = record.times.firstTokenMs! - record.times.headersMs!;
  expect(apart).toBeGreaterThan(100);
});

test("F58 the same request id from two clients is no lock: both are served", async () => {
  fleet = await startRawFleet(1);
  fleet.upstreams[0]!.script = stream();
  const headers = "x-request-id: same\r\nidempotency-key: same\r\n";
  const before = fleet.proxy.telemetry.ring.total;
  const clients = await Promise.all([fleet.send(chat({ headers })), fleet.send(chat({ headers }))]);
  for (const client of clients) expect((await client.answers())[0]?.status).toBe(200);
  await until(() => fleet.proxy.telemetry.ring.total === before + 2, "both are recorded");
});

test("F60 an engine's own Server-Timing stands beside ours", async () => {
  fleet = await startRawFleet(1);
  fleet.upstreams[0]!.script = (socket) =>
    void socket.write(
      SSE_HEAD.replace("\r\n\r\n", "\r\nserver-timing: engine;dur=5\r\n\r\n") +
        chunk(token() + "data: [DONE]\n\n") +
        "0\r\nx-trailer: 1\r\n\r\n",
    );
  const before = fleet.proxy.telemetry.ring.total;
  const client = await fleet.send(chat());
  const [answer] = await client.answers();
  const timings = answer!.headers
    .filter(([name]) => name.toLowerCase() === "server-timing")
    .map(([, value]) => value);
  expect(timings.join(", ")).toMatch(/engine;dur=5.*queue;dur=/);
  expect((await recordAfter(fleet.proxy, before)).outcome.kind).toBe("completed");
});
