import { afterEach, describe, expect, test } from "vitest";
import { until } from "../harness/fleet.ts";
import { valueOf } from "../harness/http-answer.ts";
import {
  answer,
  chat,
  chunk,
  type RawFleet,
  SSE_HEAD,
  startRawFleet,
  stream,
  token,
} from "./raw-fleet.ts";

let fleet: RawFleet;
afterEach(() => fleet.stop());

const open = (): boolean[] => fleet.proxy.fleet.views().map((view) => view.breakerOpen);
const events = (): string[] =>
  fleet.proxy.telemetry.events.map(({ kind, subject }) => `${kind} ${subject}`);

describe("a replica that fails", () => {
  test("F50 while its health route says it is well is held out after five failures, tried again, and taken back", async () => {
    fleet = await startRawFleet(2, { breaker: { openMs: 200 } });
    const [bad, good] = fleet.upstreams;
    good!.script = stream();
    bad!.script = (socket) => void socket.write(answer(500));
    let asked = 0;
    while (!open()[0] && asked++ < 60) expect((await fleet.ask(chat())).answer.status).toBe(200);
    expect(bad!.seen.length).toBe(5);
    expect(events()).toContain("breaker-open r0");
    const seen = bad!.seen.length;
    for (let request = 0; request < 5; request++) await fleet.ask(chat());
    expect(bad!.seen.length).toBe(seen);
    bad!.script = stream();
    await until(async () => (await fleet.ask(chat()), !open()[0]), "it is taken back", 5_000);
    expect(events()).toContain("breaker-closed r0");
    expect(bad!.seen.length).toBe(seen + 2);
  });

  test("R23 alone is still used: the last one is never held out", async () => {
    fleet = await startRawFleet(1);
    fleet.upstreams[0]!.script = (socket) => void socket.write(answer(500));
    for (let request = 1; request <= 12; request++) {
      expect((await fleet.ask(chat())).answer.status).toBe(500);
      expect(fleet.seen()).toBe(request);
    }
    expect(open()).toEqual([true]);
  });

  test("F46 together with all others fails fast, without a queue, and all go on being asked", async () => {
    fleet = await startRawFleet(3, { retries: { budgetFloorPerSecond: 0, budgetRatio: 0 } });
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => void socket.write(answer(502));
    for (let request = 0; request < 40; request++)
      expect((await fleet.ask(chat())).answer.status).toBe(502);
    expect(open()).toEqual([true, true, true]);
    expect(Math.min(...fleet.upstreams.map(({ seen }) => seen.length))).toBeGreaterThan(5);
  });

  test("F46 with nobody reachable is a 503 with a time to come back", async () => {
    fleet = await startRawFleet(2);
    await Promise.all(fleet.upstreams.map((upstream) => upstream.stop()));
    await until(
      () => fleet.proxy.fleet.views().every((view) => view.state === "down"),
      "all are down",
    );
    const { answer: got, text } = await fleet.ask(chat());
    expect([got.status, valueOf(got, "retry-after"), valueOf(got, "x-pitot-error-source")]).toEqual(
      [503, "1", "proxy"],
    );
    expect(text).toContain("no_replica_available");
  });

  test("F44 by being slow alone gets less than its share, and is not held out", async () => {
    fleet = await startRawFleet(4);
    for (const [index, upstream] of fleet.upstreams.entries())
      upstream.script = (socket, request) =>
        void setTimeout(
          () => {
            stream()(socket, request);
          },
          index === 0 ? 200 : 20,
        );
    const worker = async (): Promise<void> => {
      for (let request = 0; request < 20; request++) await (await fleet.send(chat())).answers();
    };
    await Promise.all(Array.from({ length: 12 }, worker));
    expect(fleet.upstreams[0]!.seen.length / fleet.seen()).toBeLessThan(0.4 / 4);
    expect(fleet.upstreams[0]!.seen.length).toBeGreaterThan(0);
    expect(open()[0]).toBe(false);
  });
});

describe("hedging", () => {
  const SLOW = { hedging: { afterMs: 60, shareMax: 1 } };
  /** The first engine asked never answers; `closed` counts how often it was let go. */
  function oneHangs(): { closed: () => number } {
    let asked = 0;
    let closed = 0;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket, request) => {
        if (asked++ > 0) return stream()(socket, request);
        socket.once("close", () => closed++);
      };
    return { closed: () => closed };
  }

  test("R15 is off by default", async () => {
    fleet = await startRawFleet(2, { limits: { firstTokenMs: 300 } });
    oneHangs();
    const { answer: got, record } = await fleet.ask(chat());
    expect([got.status, record.attempts.length, fleet.seen()]).toEqual([504, 1, 1]);
  });

  test("R15 asks a second replica, the first byte wins, the loser is let go, and it is one record of two attempts", async () => {
    fleet = await startRawFleet(2, SLOW);
    const { closed } = oneHangs();
    for (let warm = 0; warm < 2; warm++) await fleet.ask(chat()).catch(() => {});
    const { answer: got, record } = await fleet.ask(chat());
    expect(got.status).toBe(200);
    expect(record.outcome.kind).toBe("completed");
    await until(() => closed() === 1, "the loser is let go");
    expect(fleet.proxy.fleet.views().map((view) => view.inFlight)).toEqual([0, 0]);
    const hedged = [...fleet.proxy.telemetry.ring.newest()].find(
      (one) => one.attempts.length === 2,
    );
    expect(hedged?.attempts.map(({ result }) => result)).toEqual(["hedge_lost", "answered"]);
    expect(hedged?.replica).toBe(hedged?.attempts[1]?.replica);
    expect(hedged?.tokens.output).toBe(3);
  });

  test("R15 the first replica may still win", async () => {
    fleet = await startRawFleet(2, SLOW);
    let asked = 0;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket, request) => {
        if (asked++ === 0) setTimeout(() => stream()(socket, request), 120);
      };
    const { answer: got, record } = await fleet.ask(chat());
    expect(got.status).toBe(200);
    expect(record.attempts.map(({ result }) => result).toSorted()).toEqual([
      "answered",
      "hedge_lost",
    ]);
    expect(fleet.proxy.fleet.views().map((view) => view.inFlight)).toEqual([0, 0]);
  });

  test("R16 does nothing beyond its share of requests", async () => {
    fleet = await startRawFleet(2, { hedging: { afterMs: 40 }, limits: { firstTokenMs: 200 } });
    for (const upstream of fleet.upstreams) upstream.script = () => {};
    const { record } = await fleet.ask(chat());
    expect([record.attempts.length, fleet.seen()]).toEqual([1, 1]);
  });

  test("R16 does nothing where the fleet is busy", async () => {
    fleet = await startRawFleet(2, { ...SLOW, inFlightMax: 1, limits: { firstTokenMs: 200 } });
    for (const upstream of fleet.upstreams) upstream.script = () => {};
    const busy = await fleet.send(chat());
    await until(() => fleet.seen() === 1, "one is busy");
    const { record } = await fleet
      .ask(chat())
      .catch(() => ({ record: [...fleet.proxy.telemetry.ring.newest()][0]! }));
    expect(record.attempts.length).toBe(1);
    busy.destroy();
  });

  test("a client that leaves during a hedge frees both engines", async () => {
    fleet = await startRawFleet(2, SLOW);
    let closed = 0;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => {
        socket.once("close", () => closed++);
      };
    const client = await fleet.send(chat());
    await until(() => fleet.seen() === 2, "both are asked");
    client.destroy();
    await until(() => closed === 2 && fleet.proxy.feed.inFlightCount === 0, "both are free");
    const [record] = fleet.proxy.telemetry.ring.newest();
    expect(record?.outcome.kind).toBe("cancelled");
    expect(fleet.proxy.fleet.views().map((view) => view.inFlight)).toEqual([0, 0]);
  });
});

describe("when every place is taken", () => {
  test("R09, F57 the request beyond the queue is refused at once, with a time to come back", async () => {
    fleet = await startRawFleet(1, { inFlightMax: 1, queue: { queueMax: 2 } });
    fleet.upstreams[0]!.script = () => {};
    const clients = [];
    for (let index = 1; index <= 3; index++) {
      clients.push(await fleet.send(chat()));
      await until(() => fleet.proxy.feed.inFlightCount === index, "it is in");
    }
    const client = await fleet.send(chat());
    const [got] = await client.answers();
    expect([got!.status, got!.body.toString().includes("queue_full")]).toEqual([429, true]);
    expect([valueOf(got!, "retry-after"), valueOf(got!, "retry-after-ms")]).toEqual(["1", "1000"]);
    expect(fleet.seen()).toBe(1);
    for (const one of clients) one.destroy();
  });

  test("R10 a request that waited too long gets queue_timeout, and its wait is not the engine's", async () => {
    fleet = await startRawFleet(1, { inFlightMax: 1, queue: { queueMs: 120 } });
    fleet.upstreams[0]!.script = () => {};
    const first = await fleet.send(chat());
    await until(() => fleet.seen() === 1, "the engine is busy");
    const second = await fleet.send(chat());
    const [got] = await second.answers();
    expect([got!.status, got!.body.toString().includes("queue_timeout")]).toEqual([503, true]);
    first.destroy();
  });

  test("R12, R22 no replica ever has more than it may, and everybody is served in turn", async () => {
    fleet = await startRawFleet(2, { inFlightMax: 3 });
    let most = 0;
    const busy = [0, 0];
    for (const [index, upstream] of fleet.upstreams.entries())
      upstream.script = (socket, request) => {
        busy[index]!++;
        most = Math.max(most, ...busy);
        setTimeout(() => {
          busy[index]!--;
          stream()(socket, request);
        }, 10);
      };
    const clients = await Promise.all(Array.from({ length: 60 }, () => fleet.send(chat())));
    for (const client of clients) expect((await client.answers())[0]?.status).toBe(200);
    expect(most).toBeLessThanOrEqual(3);
    expect(fleet.seen()).toBe(60);
  });

  test("R11 ten times what fits for a while: what fits is served, the rest is told, nothing collapses", async () => {
    fleet = await startRawFleet(1, { inFlightMax: 4, queue: { queueMax: 8, queueMs: 10_000 } });
    fleet.upstreams[0]!.script = (socket, request) =>
      void setTimeout(() => stream()(socket, request), 10);
    const before = fleet.proxy.telemetry.ring.total;
    const clients = await Promise.all(Array.from({ length: 120 }, () => fleet.send(chat())));
    const statuses = await Promise.all(
      clients.map(async (client) => (await client.answers())[0]!.status),
    );
    const served = statuses.filter((status) => status === 200).length;
    expect(served).toBeGreaterThanOrEqual(12);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    await until(() => fleet.proxy.telemetry.ring.total === before + 120, "all are recorded");
  });
});

test("R03 nothing is tried again once a byte is out, whatever breaks, three hundred times", async () => {
  fleet = await startRawFleet(2, { breaker: { consecutiveMax: 1_000, ratioMax: 2 } });
  for (const upstream of fleet.upstreams)
    upstream.script = (socket) => {
      socket.write(SSE_HEAD + chunk(token()));
      setTimeout(() => socket.resetAndDestroy(), 1);
    };
  for (let round = 0; round < 10; round++) {
    const clients = await Promise.all(Array.from({ length: 30 }, () => fleet.send(chat())));
    await Promise.all(clients.map((client) => client.closed()));
  }
  await until(() => fleet.proxy.feed.inFlightCount === 0, "all are over");
  expect(fleet.seen()).toBe(300);
});
