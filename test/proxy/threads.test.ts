import type { Worker } from "node:worker_threads";
import { request } from "undici";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Exchange } from "../../engines/exchange.ts";
import { Columns } from "../../proxy/threads/columns.ts";
import { InFlightTable } from "../../proxy/upstream/in-flight.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../harness/fleet.ts";

/** Minutes of an answer: it is still running when the last of many has begun, however busy the machine. */
const LONG = 60_000;

let fleet: TestFleet;
let records: Exchange[];
/** Threads this process has given birth to since the test began. */
let born: Worker[];

const noteBirth = (worker: Worker): void => {
  born.push(worker);
};

beforeEach(async () => {
  born = [];
  process.on("worker", noteBirth);
  fleet = await startFleet(["vllm", "vllm"], { engine: { speed: 4 }, proxy: { threads: 2 } });
  records = [];
  fleet.proxy.telemetry.listen({ ended: (exchange) => records.push(exchange) });
});
afterEach(async () => {
  process.off("worker", noteBirth);
  await fleet.stop();
});

/** Sends a request on a connection of its own, so that the kernel deals them out; what came of the answer, whole or not. */
async function ask(tokens: number, signal?: AbortSignal): Promise<string> {
  let text = "";
  try {
    const { body } = await request(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
      method: "POST",
      headers: JSON_HEADERS,
      body: chatBody({ tokens }),
      reset: true,
      ...(signal === undefined ? {} : { signal }),
    });
    for await (const chunk of body) text += String(chunk);
  } catch {
    // A broken stream ends without its end mark: what came before is what is looked at.
  }
  return text;
}

const inFlight = (): number =>
  fleet.proxy.fleet.views().reduce((sum, replica) => sum + replica.inFlight, 0);

describe("a proxy on two threads", () => {
  test("answers on both behind one port, and every request is one record", async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(6)));
    for (const answer of answers) expect(answer).toContain("[DONE]");
    await until(() => records.length >= 60, "all records are in");
    expect(new Set(records.map(({ id }) => id)).size).toBe(60);
    expect(records.every(({ outcome }) => outcome.kind === "completed")).toBe(true);
    expect(records.reduce((sum, { tokens }) => sum + (tokens.output ?? 0), 0)).toBe(360);
    expect(inFlight()).toBe(0);
  });

  test("brings in records of many answers without output events at once", async () => {
    const send = (): Promise<unknown> =>
      request(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
        method: "POST",
        headers: JSON_HEADERS,
        body: chatBody({ tokens: 2, stream: false }),
        reset: true,
      }).then(({ body }) => body.text());
    await Promise.all(Array.from({ length: 40 }, send));
    await until(() => records.length >= 40, "all records are in");
    expect(records.every(({ outcome }) => outcome.kind === "completed")).toBe(true);
    expect(born.length).toBe(2);
  });

  test("shares in-flight counts: no replica gets a burst's whole because each thread thought it idle", async () => {
    const stop = new AbortController();
    const streams = Array.from({ length: 40 }, () => ask(LONG, stop.signal));
    const running = (): readonly number[] =>
      fleet.engines.map((engine) => engine.stats().running + engine.stats().waiting);
    await until(() => running().reduce((sum, count) => sum + count, 0) === 40, "all are at work");
    expect(inFlight()).toBe(40);
    expect(Math.abs(running()[0]! - running()[1]!)).toBeLessThanOrEqual(2);
    stop.abort();
    await Promise.all(streams);
    await until(() => inFlight() === 0, "counts are back at zero");
  });

  test("shows what is under way on each", async () => {
    const stop = new AbortController();
    const streams = Array.from({ length: 10 }, () => ask(LONG, stop.signal));
    const view = (): readonly string[] =>
      [...fleet.proxy.feed.inFlight()].map((request) => request.view().phase);
    await until(() => view().filter((phase) => phase === "decode").length === 10, "ten decode");
    stop.abort();
    await Promise.all(streams);
    await until(() => records.length === 10, "ten records");
    expect(records.every(({ outcome }) => outcome.kind === "cancelled")).toBe(true);
    expect(fleet.proxy.feed.inFlightCount).toBe(0);
  });

  test("takes a drained replica out of every thread's routing", async () => {
    fleet.proxy.fleet.drain("vllm-0");
    await Promise.all(Array.from({ length: 4 }, () => ask(2)));
    const before = fleet.engines[0]!.stats().received;
    await Promise.all(Array.from({ length: 30 }, () => ask(2)));
    expect(fleet.engines[0]!.stats().received).toBe(before);
  });

  test("cuts on every thread what runs on a disabled replica", async () => {
    const streams = Array.from({ length: 12 }, () => ask(LONG));
    await until(
      () => fleet.engines.every((engine) => engine.stats().running >= 5),
      "both engines are at work",
    );
    fleet.proxy.fleet.disable("vllm-0");
    await until(() => fleet.engines[0]!.stats().running === 0, "its streams are over");
    fleet.proxy.fleet.disable("vllm-1");
    const answers = await Promise.all(streams);
    for (const answer of answers) expect(answer).toContain("upstream_cut");
  });
});

test("L08 a thread that dies takes only its own requests, is replaced, and its counts are cleared", async () => {
  const stop = new AbortController();
  const streams = Array.from({ length: 20 }, () => ask(LONG, stop.signal));
  await until(() => fleet.proxy.feed.inFlightCount === 20, "twenty are under way");
  const deaths: string[] = [];
  fleet.proxy.telemetry.listen({
    ended: () => {},
    happened: ({ kind, message }) => {
      if (kind === "internal-error") deaths.push(message);
    },
  });
  await born[0]!.terminate();
  await until(() => deaths.length === 1, "the death is told");
  const lost = (): number =>
    records.filter((one) => "code" in one.outcome && one.outcome.code === "internal_error").length;
  await until(() => lost() > 0, "its requests are recorded");
  expect(inFlight()).toBe(20 - lost());
  stop.abort();
  await Promise.all(streams);
  await until(() => inFlight() === 0 && records.length === 20, "every request has its record");
  const answers = await Promise.all(Array.from({ length: 10 }, () => ask(3)));
  for (const answer of answers) expect(answer).toContain("[DONE]");
});

describe("the table of counts", () => {
  test("adds up over threads and forgets one alone", () => {
    const table = new InFlightTable(InFlightTable.allocate(3, 4), 3);
    const counters = [0, 1, 2].map((row) => table.counter(row, 2));
    for (const counter of counters) counter.add(1);
    counters[1]!.add(1);
    expect(table.sum(2)).toBe(4);
    expect(table.sum(1)).toBe(0);
    table.clear(1);
    expect(counters[0]!.count).toBe(2);
  });

  test("gives a column to another replica only when nothing is counted in it", () => {
    const busy = new Set([0]);
    const columns = new Columns(2, (column) => !busy.has(column));
    expect([columns.of("a"), columns.of("b"), columns.of("a")]).toEqual([0, 1, 0]);
    columns.keep(new Set(["b"]));
    expect(() => columns.of("c")).toThrow(RangeError);
    busy.clear();
    expect(columns.of("c")).toBe(0);
  });
});
