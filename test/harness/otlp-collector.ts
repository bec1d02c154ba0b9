import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { Message } from "./protobuf.ts";

export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  /** 2 is SERVER, 3 is CLIENT in the protocol. */
  readonly kind: number;
  readonly startNs: number;
  readonly endNs: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  /** 2 is ERROR. */
  readonly statusCode: number;
}

export interface CollectedPoint {
  readonly name: string;
  readonly unit: string;
  readonly kind: "gauge" | "sum" | "exponential";
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly value: number;
  readonly count: number;
  readonly scale: number;
  readonly offset: number;
  readonly bucketCounts: readonly number[];
}

/** A collector as OTLP/HTTP has it (opentelemetry-proto 1.x), which reads what it gets strictly. */
export class OtlpCollector {
  readonly spans: CollectedSpan[] = [];
  readonly points: CollectedPoint[] = [];
  readonly resources: Readonly<Record<string, unknown>>[] = [];
  readonly headers: IncomingMessage["headers"][] = [];
  requests = 0;
  /** Answers instead of the usual one, for a collector that misbehaves. */
  misbehave: ((response: ServerResponse) => void) | null = null;
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response);
  });

  async listen(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests++;
    const body = await buffer(request);
    this.headers.push(request.headers);
    if (this.misbehave !== null) {
      this.misbehave(response);
      return;
    }
    if (request.headers["content-type"] !== "application/x-protobuf")
      throw new Error("not protobuf");
    for (const group of new Message(body).messages(1)) {
      this.resources.push(attributesOf(group.messages(1)[0]!, 1));
      for (const scope of group.messages(2)) {
        if (request.url === "/v1/traces") this.spans.push(...scope.messages(2).map(spanOf));
        else this.points.push(...scope.messages(2).flatMap(pointsOf));
      }
    }
    response.writeHead(200, { "content-type": "application/x-protobuf" });
    response.end();
  }
}

function spanOf(span: Message): CollectedSpan {
  return {
    traceId: span.hex(1),
    spanId: span.hex(2),
    parentSpanId: span.hex(4),
    name: span.text(5),
    kind: span.int(6),
    startNs: span.int(7),
    endNs: span.int(8),
    attributes: attributesOf(span, 9),
    events: span.messages(11).map((event) => event.text(2)),
    statusCode: span.messages(15)[0]?.int(3) ?? 0,
  };
}

function pointsOf(metric: Message): CollectedPoint[] {
  const kinds = { 5: "gauge", 7: "sum", 10: "exponential" } as const;
  const number = ([5, 7, 10] as const).find((field) => metric.has(field));
  if (number === undefined) throw new Error(`${metric.text(1)} has no data of a known kind`);
  const isExponential = number === 10;
  return metric
    .messages(number)[0]!
    .messages(1)
    .map((point) => {
      const positive = point.messages(8)[0];
      return {
        name: metric.text(1),
        unit: metric.text(3),
        kind: kinds[number],
        attributes: attributesOf(point, isExponential ? 1 : 7),
        value: isExponential ? point.double(5) : point.double(4),
        count: isExponential ? point.int(4) : 0,
        scale: isExponential ? point.sint(6) : 0,
        offset: isExponential ? (positive?.sint(1) ?? 0) : 0,
        bucketCounts: isExponential ? (positive?.packed(2) ?? []) : [],
      };
    });
}

function attributesOf(message: Message, field: number): Record<string, unknown> {
  return Object.fromEntries(
    message.messages(field).map((pair) => [pair.text(1), valueOf(pair.messages(2)[0]!)]),
  );
}

function valueOf(value: Message): unknown {
  if (value.has(1)) return value.text(1);
  if (value.has(2)) return value.int(2) === 1;
  if (value.has(3)) return value.int(3);
  if (value.has(4)) return value.double(4);
  return value.messages(5)[0]?.messages(1).map(valueOf) ?? null;
}
