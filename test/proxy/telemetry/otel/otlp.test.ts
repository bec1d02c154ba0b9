import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { request } from "undici";
import { VirtualClock } from "../../../../engines/virtual-clock.ts";
import { FactReader } from "../../../../proxy/telemetry/fact.ts";
import { Families } from "../../../../proxy/telemetry/families.ts";
import { exponential } from "../../../../proxy/telemetry/otel/metric-data.ts";
import { Otlp } from "../../../../proxy/telemetry/otel/otlp.ts";
import { Sketch } from "../../../../proxy/telemetry/sketch.ts";
import { Traces } from "../../../../proxy/telemetry/traces.ts";
import { seededRandom } from "../../../../engines/random.ts";
import { exchangeOf } from "../../../harness/exchanges.ts";
import { chatBody, JSON_HEADERS, startFleet, until } from "../../../harness/fleet.ts";
import { chat, startRawPair } from "../../../harness/raw-pair.ts";
import type { SeenRequest } from "../../../harness/raw-upstream.ts";
import { OtlpCollector } from "../../../harness/otlp-collector.ts";
import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

const collector = new OtlpCollector();
let endpoint = "";
beforeAll(async () => {
  endpoint = await collector.listen();
});
afterEach(() => {
  collector.misbehave = null;
  collector.spans.length = 0;
});
afterAll(() => collector.close());

const CLIENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

function otlp(): { sink: Otlp; feed: (count: number) => void } {
  const clock = new VirtualClock(1_800_000_000_000);
  const families = new Families();
  const options = { endpoint, metrics: false };
  const sink = new Otlp({ options, clock, release: "0.1.0", families: () => families });
  const facts = new FactReader();
  const feed = (count: number): void => {
    for (let index = 0; index < count; index++) sink.take(facts.read(exchangeOf(), "m"));
  };
  return { sink, feed };
}

describe("spans", () => {
  test("tell of a request and of each attempt below it, in the client's trace, seen by the engine", async () => {
    const heard: string[][] = [];
    const engine = createServer((incoming, response) => {
      if (incoming.method === "POST") heard.push(incoming.rawHeaders);
      incoming.resume();
      if (incoming.url === "/v1/models") {
        response.setHeader("content-type", "application/json");
        response.end(
          '{"object":"list","data":[{"id":"meta-llama/Llama-3.1-8B-Instruct","object":"model"}]}',
        );
      } else if (incoming.method === "POST") {
        response.setHeader("content-type", "text/event-stream");
        response.end('data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n');
      } else response.end();
    }).listen(0, "127.0.0.1");
    await once(engine, "listening");
    const url = `http://127.0.0.1:${(engine.address() as AddressInfo).port}`;
    // The first answers 500 to everything but its probes, so that the request is tried twice.
    const broken = createServer((incoming, response) => {
      incoming.resume();
      if (incoming.method === "POST") response.writeHead(500);
      if (incoming.url === "/v1/models") response.setHeader("content-type", "application/json");
      response.end(
        incoming.url === "/v1/models"
          ? '{"object":"list","data":[{"id":"meta-llama/Llama-3.1-8B-Instruct","object":"model"}]}'
          : "",
      );
    }).listen(0, "127.0.0.1");
    await once(broken, "listening");
    const brokenUrl = `http://127.0.0.1:${(broken.address() as AddressInfo).port}`;
    const fleet = await startFleet([], {
      proxy: {
        replicas: [`broken=${brokenUrl}`, `sound=${url}`],
        policy: "round-robin",
        telemetry: { otlp: { endpoint, headers: { "x-tenant": "t" } } },
      },
    });
    const headers = {
      ...JSON_HEADERS,
      traceparent: CLIENT,
      tracestate: "a=1, b=2",
      baggage: "k=v",
    };
    for (let index = 0; index < 2; index++) {
      const answer = await request(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
        method: "POST",
        headers,
        body: chatBody(),
      });
      await answer.body.text();
    }
    await fleet.stop();
    const roots = collector.spans.filter(({ kind }) => kind === 2);
    expect(roots).toHaveLength(2);
    const retried = roots.find(({ attributes }) => attributes["pitot.attempts"] === 2)!;
    expect(retried).toMatchObject({
      traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
      parentSpanId: "00f067aa0ba902b7",
      name: "POST /v1/chat/completions",
      statusCode: 0,
    });
    expect(retried.attributes).toMatchObject({
      "gen_ai.operation.name": "chat",
      "pitot.outcome": "completed",
      "http.response.status_code": 200,
      "gen_ai.usage.output_tokens": 1,
    });
    const children = collector.spans.filter(({ parentSpanId }) => parentSpanId === retried.spanId);
    expect(
      children.map(({ kind, attributes, statusCode }) => [
        kind,
        attributes["pitot.replica"],
        statusCode,
      ]),
    ).toEqual([
      [3, "broken", 2],
      [3, "sound", 0],
    ]);
    expect(children[1]!.events).toEqual(["first token"]);
    for (const child of children) {
      expect(child.startNs).toBeGreaterThanOrEqual(retried.startNs);
      expect(child.endNs).toBeLessThanOrEqual(retried.endNs);
    }
    const told = (name: string): (string | undefined)[] =>
      heard.map(
        (raw) => raw[raw.findIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name) + 1],
      );
    const spanIds = collector.spans.filter(({ kind }) => kind === 3).map(({ spanId }) => spanId);
    for (const parent of told("traceparent")) {
      const [, traceId, spanId, flags] = parent!.split("-");
      expect([traceId, flags]).toEqual(["4bf92f3577b34da6a3ce929d0e0e4736", "01"]);
      expect(spanIds).toContain(spanId);
    }
    expect(told("tracestate")).toEqual(["a=1, b=2", "a=1, b=2"]);
    expect(told("baggage")).toEqual(["k=v", "k=v"]);
    expect(collector.headers.some((one) => one["x-tenant"] === "t")).toBe(true);
    expect(collector.resources[0]).toMatchObject({ "service.name": "pitot" });
    expect(collector.points.some(({ name }) => name === "gen_ai.client.operation.duration")).toBe(
      true,
    );
    expect(JSON.stringify(collector.spans)).not.toContain("how fast does it fly");
    for (const server of [engine, broken]) {
      server.closeAllConnections();
      server.close();
    }
  });

  test("are not made of a trace its beginner does not want kept", () => {
    const traces = new Traces(seededRandom(1), { makesSpans: true, sampleRatio: 1 });
    const trace = traces.open(CLIENT.replace(/01$/, "00"), undefined)!;
    expect(trace.sampled).toBe(false);
    const { sink } = otlp();
    sink.take(new FactReader().read({ ...exchangeOf(), trace }, "m"));
    expect(collector.requests).toBeGreaterThanOrEqual(0);
    return sink.stop().then(() => {
      expect(collector.spans).toEqual([]);
    });
  });

  test.each([
    ["nothing", undefined],
    ["zeros", "00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
    ["capitals", CLIENT.toUpperCase()],
    ["version ff", CLIENT.replace(/^00/, "ff")],
    ["a tail in version 00", `${CLIENT}-x`],
    ["a short id", CLIENT.slice(0, -4)],
  ])("begin a trace of their own after %s", (_what, header) => {
    const traces = new Traces(seededRandom(1), { makesSpans: true, sampleRatio: 1 });
    expect(traces.open(header, "a=1")).toMatchObject({
      parentSpanId: null,
      state: null,
      sampled: true,
    });
  });

  test.each([
    ["a valid traceparent", CLIENT, ["a=1"]],
    ["a broken one", `${CLIENT}-x`, []],
    ["none", null, []],
  ])("let the client's tracestate go on after %s alone", async (_what, traceparent, expected) => {
    const pair = await startRawPair({ telemetry: { otlp: { endpoint } } });
    const given = traceparent === null ? "" : `traceparent: ${traceparent}\r\n`;
    await pair.ask(chat(`${given}TraceState: a=1\r\n`));
    const [{ headers }] = pair.upstream.seen as [SeenRequest];
    const told = (name: string): readonly string[] =>
      headers.filter(([one]) => one.toLowerCase() === name).map(([, value]) => value);
    expect(told("tracestate")).toEqual(expected);
    expect(told("traceparent")).toHaveLength(1);
    expect(told("traceparent")).not.toContain(traceparent);
    await pair.stop();
  });

  test("are not made, and the client's context is only noted, when nobody asked for them", () => {
    const traces = new Traces(seededRandom(1), { makesSpans: false, sampleRatio: 1 });
    expect(traces.open(undefined, undefined)).toBeNull();
    const trace = traces.open(CLIENT, undefined);
    expect(trace).toMatchObject({ spanId: null, traceId: "4bf92f3577b34da6a3ce929d0e0e4736" });
    expect(traces.child(trace)).toBeNull();
  });
});

describe("L23: a collector that", () => {
  test("is gone costs spans, counted, and memory stays bounded", async () => {
    collector.misbehave = (response) => response.destroy();
    const { sink, feed } = otlp();
    feed(3_000);
    // 2 048 wait at most; each request is two spans.
    expect(sink.dropped).toBe(6_000 - 2_048);
    await sink.stop();
    expect(sink.dropped).toBe(6_000);
  });

  test("refuses for good costs the batch and is not asked about it again", async () => {
    collector.misbehave = (response) => response.writeHead(400).end("no");
    const before = collector.requests;
    const { sink, feed } = otlp();
    feed(10);
    sink.flush(0);
    await until(() => sink.dropped === 20, "the batch is given up");
    expect(collector.requests - before).toBe(1);
    await sink.stop();
  });

  test("never answers holds up neither the next spans nor the stop", async () => {
    collector.misbehave = () => {};
    const clock = new VirtualClock();
    const families = new Families();
    const options = { endpoint, metrics: false };
    const sink = new Otlp({ options, clock, release: "0", families: () => families });
    sink.take(new FactReader().read(exchangeOf(), "m"));
    sink.flush(0);
    sink.take(new FactReader().read(exchangeOf(), "m"));
    const stopped = sink.stop();
    clock.advance(5_000);
    await stopped;
    expect(sink.dropped).toBe(2);
  });

  test("answers ten megabytes is read no further than it needs", async () => {
    collector.misbehave = (response) => response.writeHead(200).end(Buffer.alloc(10_485_760));
    const { sink, feed } = otlp();
    feed(1);
    await sink.stop();
    expect(sink.dropped).toBeLessThanOrEqual(2);
  });
});

describe("metrics", () => {
  test("are exponential histograms within 1 % of the values, in seconds", () => {
    const sketch = new Sketch();
    for (const ms of [1, 80, 250, 4_000]) sketch.add(ms);
    const { scale, positive, count, sum } = exponential(sketch);
    expect([count, sum]).toEqual([4, 4.331]);
    const base = 2 ** (2 ** -scale);
    const values = positive.bucketCounts
      .map((n, index) => [n, base ** (positive.offset + index + 0.5)] as const)
      .filter(([n]) => n > 0)
      .map(([, value]) => value);
    for (const [index, truth] of [0.001, 0.08, 0.25, 4].entries())
      expect(Math.abs(values[index]! - truth) / truth).toBeLessThan(0.05);
    expect(positive.bucketCounts.length).toBeLessThanOrEqual(160);
    const narrow = new Sketch();
    for (const ms of [200, 250, 300]) narrow.add(ms);
    const fine = exponential(narrow);
    expect(fine.scale).toBe(6);
    const first = (2 ** (1 / 64)) ** (fine.positive.offset + 0.5);
    expect(Math.abs(first - 0.2) / 0.2).toBeLessThan(0.01);
  });
});
