import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import { until } from "../harness/fleet.ts";
import { valueOf } from "../harness/http-answer.ts";
import {
  answer,
  chat,
  chunk,
  DONE,
  ERROR_EVENT,
  LAST_CHUNK,
  type RawFleet,
  SSE_HEAD,
  startRawFleet,
  stream,
} from "./raw-fleet.ts";

let fleet: RawFleet;
afterEach(() => fleet.stop());

const results = (record: { attempts: readonly { result: string }[] }): string[] =>
  record.attempts.map(({ result }) => result);

describe("before a byte of the answer", () => {
  test("F11 a refused connection costs one try and the next replica answers", async () => {
    fleet = await startRawFleet(2);
    fleet.upstreams[1]!.script = stream();
    await fleet.upstreams[0]!.stop();
    let refused = 0;
    for (let request = 0; request < 6; request++) {
      const { answer: got, record } = await fleet.ask(chat());
      expect(got.status).toBe(200);
      if (results(record)[0] === "upstream_connect_failed") refused++;
    }
    // Once found unreachable it is out of routing: nobody else pays for it.
    expect(refused).toBeLessThanOrEqual(1);
  });

  test("F11 a refused connection with nobody else left is a 502 with its code", async () => {
    fleet = await startRawFleet(1);
    await fleet.upstreams[0]!.stop();
    const { answer: got, text } = await fleet.ask(chat());
    expect([502, 503]).toContain(got.status);
    expect(text).toMatch(/upstream_connect_failed|no_replica_available/);
    expect(valueOf(got, "retry-after")).toBe("1");
  });

  test("F13, F17, R05 a reset moves on after the first engine's socket is gone", async () => {
    fleet = await startRawFleet(2);
    const order: string[] = [];
    let first = true;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket, request) => {
        if (!first) {
          order.push("second asked");
          stream()(socket, request);
          return;
        }
        first = false;
        socket.once("close", () => order.push("first closed"));
        socket.resetAndDestroy();
      };
    const { answer: got, record } = await fleet.ask(chat());
    expect(got.status).toBe(200);
    expect(results(record)).toEqual(["upstream_cut", "answered"]);
    expect(order).toEqual(["first closed", "second asked"]);
    expect(valueOf(got, "x-pitot-attempts")).toBe("2");
  });

  test("F13 a reset is final where the operator wants no retry on resets", async () => {
    fleet = await startRawFleet(2, { retries: { onReset: false } });
    for (const upstream of fleet.upstreams) upstream.script = (socket) => void socket.destroy();
    const { answer: got, text, record } = await fleet.ask(chat());
    expect([got.status, results(record)]).toEqual([502, ["upstream_cut"]]);
    expect(text).toContain('"code":"upstream_cut"');
  });

  test("F14, F16 a kept-alive socket the engine has closed is no error for the client, a hundred times over", async () => {
    fleet = await startRawFleet(1);
    // Resets at the second request of a connection: what a client sees of uvicorn or cpp-httplib closing an idle one.
    const carried = new WeakMap<object, number>();
    fleet.upstreams[0]!.script = (socket, request) => {
      const count = (carried.get(socket) ?? 0) + 1;
      carried.set(socket, count);
      if (count > 1) socket.resetAndDestroy();
      else stream()(socket, request);
    };
    let stale = 0;
    for (let request = 0; request < 100; request++) {
      const { answer: got, record } = await fleet.ask(chat());
      expect(got.status).toBe(200);
      expect(record.outcome.kind).toBe("completed");
      if (results(record)[0] === "stale_socket") stale++;
      // The resend went to the same replica, and only once.
      expect(record.attempts.length).toBeLessThanOrEqual(2);
    }
    expect(stale).toBeGreaterThan(10);
    expect(fleet.proxy.fleet.views()[0]).toMatchObject({ breakerOpen: false, state: "up" });
  });

  test("F15 our own idle limit fires two seconds before the engines'", async () => {
    fleet = await startRawFleet(1);
    const upstream = fleet.upstreams[0]!;
    const waiting: (() => void)[] = [];
    upstream.script = (socket, request) => {
      waiting.push(() => {
        stream()(socket, request);
      });
      if (waiting.length === 8) for (const answerNow of waiting) answerNow();
    };
    await Promise.all(Array.from({ length: 8 }, async () => (await fleet.send(chat())).answers()));
    expect(upstream.open).toBeGreaterThanOrEqual(8);
    const startedMs = systemClock.nowMs();
    // Probes go on using one or two; the others lie idle.
    await until(() => upstream.open <= 3, "we let go of idle sockets", 5_000);
    expect(systemClock.nowMs() - startedMs).toBeLessThan(4_500);
  });

  test.each([500, 502, 504, 503, 429, 408])(
    "F25 a %i is asked of another replica, and passed on whole when nobody does better",
    async (status) => {
      fleet = await startRawFleet(2);
      let asked = 0;
      for (const upstream of fleet.upstreams)
        upstream.script = (socket, request) =>
          asked++ === 0 ? void socket.write(answer(status)) : stream()(socket, request);
      const better = await fleet.ask(chat());
      expect(better.answer.status).toBe(200);
      expect(results(better.record)).toEqual([`status_${status}`, "answered"]);
      for (const upstream of fleet.upstreams)
        upstream.script = (socket) =>
          void socket.write(answer(status, "x-own: 1\r\n", `{"detail":"${status}"}`));
      const worse = await fleet.ask(chat());
      expect(worse.answer.status).toBe(status);
      expect(worse.text).toBe(`{"detail":"${status}"}`);
      expect(valueOf(worse.answer, "x-own")).toBe("1");
      expect(valueOf(worse.answer, "x-pitot-error-source")).toBe("upstream");
    },
  );

  test.each([400, 401, 404, 413, 422])(
    "R19 a %i of the client's making is passed on, never retried, never held against the replica",
    async (status) => {
      fleet = await startRawFleet(2);
      for (const upstream of fleet.upstreams)
        upstream.script = (socket) => void socket.write(answer(status));
      for (let request = 1; request <= 8; request++) {
        const { answer: got, record } = await fleet.ask(chat());
        expect(got.status).toBe(status);
        expect(record.outcome.kind).toBe("rejected");
        expect(fleet.seen()).toBe(request);
      }
      expect(fleet.proxy.fleet.views().map((view) => view.breakerOpen)).toEqual([false, false]);
    },
  );

  test.each([
    ["seconds", () => "2"],
    ["a date", () => new Date(systemClock.nowMs() + 3_000).toUTCString()],
  ])(
    "F26 a replica that names a time in %s is left alone until then, and others serve",
    async (_name, value) => {
      fleet = await startRawFleet(2);
      const [first, second] = fleet.upstreams;
      first!.script = (socket) => void socket.write(answer(429, `retry-after: ${value()}\r\n`));
      second!.script = stream();
      await until(
        async () => (await fleet.ask(chat())).record.attempts.length === 2,
        "the first was asked",
      );
      const seen = first!.seen.length;
      for (let request = 0; request < 8; request++)
        expect((await fleet.ask(chat())).answer.status).toBe(200);
      expect(first!.seen.length).toBe(seen);
      expect(fleet.proxy.fleet.views()[0]!.breakerOpen).toBe(false);
    },
  );

  test("F26 when all name a time the client gets the one that lets it back soonest, then ours", async () => {
    fleet = await startRawFleet(2);
    for (const [index, upstream] of fleet.upstreams.entries())
      upstream.script = (socket) =>
        void socket.write(
          answer(index === 0 ? 429 : 503, `retry-after: ${index === 0 ? 9 : 30}\r\n`),
        );
    const first = await fleet.ask(chat());
    expect([first.answer.status, valueOf(first.answer, "retry-after")]).toEqual([429, "9"]);
    const second = await fleet.ask(chat());
    expect(fleet.seen()).toBe(2);
    expect(second.answer.status).toBe(429);
    expect(Number(valueOf(second.answer, "retry-after"))).toBeGreaterThanOrEqual(8);
    expect(second.text).toContain("queue_full");
  });

  test("F24 an error in the first event of a 200 is asked of another replica", async () => {
    fleet = await startRawFleet(2);
    let asked = 0;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket, request) =>
        asked++ === 0
          ? void socket.write(SSE_HEAD + chunk(ERROR_EVENT + DONE) + LAST_CHUNK)
          : stream()(socket, request);
    const { answer: got, text, record } = await fleet.ask(chat());
    expect(got.status).toBe(200);
    expect(text).not.toContain("engine died");
    expect(results(record)).toEqual(["error_event", "answered"]);
  });

  test("a 200 stream that ends without a word is no answer: another replica gives one", async () => {
    fleet = await startRawFleet(2);
    let asked = 0;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket, request) =>
        asked++ === 0 ? void socket.write(SSE_HEAD + LAST_CHUNK) : stream()(socket, request);
    const { record } = await fleet.ask(chat());
    expect(results(record)).toEqual(["upstream_cut", "answered"]);
  });

  test("R02 a client that says it retries by itself gets no second try from us", async () => {
    fleet = await startRawFleet(2);
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => void socket.write(answer(503));
    const { record } = await fleet.ask(chat({ headers: "x-stainless-retry-count: 1\r\n" }));
    expect([record.attempts.length, fleet.seen()]).toEqual([1, 1]);
  });

  test("R08 no try is begun that could not be over in the time the client gives", async () => {
    fleet = await startRawFleet(2, { retries: { backoffMs: 60_000, backoffMsMax: 60_000 } });
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => void socket.write(answer(500));
    const { answer: got, record } = await fleet.ask(
      chat({ headers: "x-pitot-timeout-ms: 300\r\n" }),
    );
    expect([got.status, record.attempts.length, fleet.seen()]).toEqual([504, 1, 1]);
  });

  test("R06 a body beyond the replay limit is sent once", async () => {
    fleet = await startRawFleet(2, { retries: { replayBytesMax: 100 } });
    for (const upstream of fleet.upstreams) upstream.script = (socket) => void socket.destroy();
    const { answer: got } = await fleet.ask(chat({ more: { pad: "x".repeat(200) } }));
    expect([got.status, fleet.seen()]).toEqual([502, 1]);
  });
});

test("F59 a TLS engine with a certificate nobody trusts is not reached, and never in plain text", async () => {
  fleet = await startRawFleet(1);
  fleet.upstreams[0]!.script = stream();
  const plain = fleet.upstreams[0]!.url.replace("http:", "https:").replace(
    "127.0.0.1",
    "localhost",
  );
  fleet.proxy.fleet.add(`tls=${plain}`);
  await until(
    () => fleet.proxy.fleet.views().some((view) => view.id === "tls" && view.state === "down"),
    "it is down",
  );
  expect((await fleet.ask(chat())).answer.status).toBe(200);
});
