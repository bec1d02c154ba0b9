import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { request } from "undici";
import type { Fault } from "../../engines/sim/faults.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../harness/fleet.ts";

let fleet: TestFleet;
beforeAll(async () => {
  fleet = await startFleet(["vllm"], {
    engine: { speed: 4 },
    proxy: { bodyBytesMax: 100_000, limits: { firstTokenMs: 700, stallMs: 700 } },
  });
});
afterAll(() => fleet.stop());

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly source: unknown;
  readonly text: string;
}

async function send(body: string, path = "/v1/chat/completions"): Promise<Answer> {
  const answer = await request(fleet.proxy.dataUrl + path, {
    method: "POST",
    headers: JSON_HEADERS,
    body,
  });
  const text = await arrived(answer.body);
  return {
    status: answer.statusCode,
    code: /"code":"(\w+)"/.exec(text)?.[1],
    source: answer.headers["x-pitot-error-source"],
    text,
  };
}

/** What came of a body, whole or not: a broken answer is left without its end. */
async function arrived(body: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  try {
    for await (const chunk of body) text += chunk.toString();
  } catch (error) {
    text += `(broken: ${String(error)})`;
  }
  return text;
}

/** The one record made since, and that there is only one. */
async function recorded<Value>(
  act: () => Promise<Value>,
): Promise<{ value: Value; outcome: object; total: number }> {
  const { ring } = fleet.proxy.telemetry;
  const before = ring.total;
  const value = await act();
  await until(() => ring.total > before && fleet.proxy.feed.inFlightCount === 0, "the record");
  const [newest] = ring.newest();
  return { value, outcome: newest!.outcome, total: ring.total - before };
}

describe("a request the proxy cannot use", () => {
  test.each([
    ["with broken JSON", '{"model":', 400, "invalid_json"],
    ["with a list for a body", "[]", 400, "invalid_json"],
    ["nested too deep", `{"a":${"[".repeat(80)}${"]".repeat(80)}}`, 400, "invalid_json"],
    ["with something after its body", "{} {}", 400, "invalid_json"],
    [
      "for an unknown model",
      JSON.stringify({ model: "nope", messages: [] }),
      404,
      "model_not_found",
    ],
    [
      "with too large a body",
      JSON.stringify({ model: "x", pad: "y".repeat(200_000) }),
      413,
      "body_too_large",
    ],
  ])("%s gets its code and is one record", async (_name, body, status, code) => {
    const { value, outcome, total } = await recorded(() => send(body));
    expect(value).toMatchObject({ status, code, source: "proxy" });
    expect(outcome).toEqual({ kind: "rejected", code });
    expect(total).toBe(1);
  });

  test.each([
    ["/v1/load_lora_adapter", "POST", 403, "forbidden"],
    ["/sleep", "POST", 404, "not_found"],
    ["/v1/chat/completions", "GET", 405, "method_not_allowed"],
    ["/v1/chat/completions", "TRACE", 405, "method_not_allowed"],
  ])("to %s by %s is refused", async (path, method, status, code) => {
    const answer = await request(fleet.proxy.dataUrl + path, { method });
    expect(answer.statusCode).toBe(status);
    expect(await answer.body.json()).toMatchObject({ error: { code, type: "pitot_error" } });
  });

  test.each([
    ["that is no HTTP", "hello\r\n\r\n", 400],
    [
      "with contradicting lengths",
      "POST /v1/x HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
    [
      "with too many headers",
      `GET /v1/models HTTP/1.1\r\nhost: a\r\n${"x-a: 1\r\n".repeat(150)}\r\n`,
      431,
    ],
    [
      "with a header too long",
      `GET /v1/models HTTP/1.1\r\nhost: a\r\nx-a: ${"y".repeat(20_000)}\r\n\r\n`,
      431,
    ],
  ])("%s is refused with a status", async (_name, bytes, status) => {
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(Number(new URL(fleet.proxy.dataUrl).port), "127.0.0.1");
      let text = "";
      socket.on("data", (chunk) => {
        text += chunk.toString();
        socket.end();
      });
      socket.on("close", () => {
        resolve(text);
      });
      socket.write(bytes);
    });
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});

describe("a replica that", () => {
  const engine = (faults: readonly Fault[]): void => fleet.engines[0]!.setFaults(faults);

  test.each<[string, Fault, number, string | undefined, object]>([
    [
      "answers 500 passes it on",
      { kind: "status", status: 500 },
      500,
      undefined,
      { kind: "failed", code: "upstream_status_500" },
    ],
    [
      "answers 429 passes it on",
      { kind: "status", status: 429 },
      429,
      undefined,
      { kind: "rejected", code: "upstream_status_429" },
    ],
    [
      "cuts after some tokens ends the stream with an error event",
      { kind: "cut", afterTokens: 3, how: "rst" },
      200,
      "upstream_cut",
      { kind: "cut", code: "upstream_cut" },
    ],
    [
      "stalls ends the stream with an error event",
      { kind: "stall", afterTokens: 2 },
      200,
      "upstream_stalled",
      { kind: "cut", code: "upstream_stalled" },
    ],
    [
      "never begins is timed out",
      { kind: "freeze" },
      504,
      "first_token_timeout",
      { kind: "failed", code: "first_token_timeout" },
    ],
    [
      "sends an error event is a failure",
      { kind: "error-event", afterTokens: 2 },
      200,
      undefined,
      { kind: "cut", code: "upstream_error_event" },
    ],
    [
      "sends garbage is a failure",
      { kind: "garbage" },
      200,
      undefined,
      { kind: "failed", code: "upstream_error_event" },
    ],
    [
      "ends without its end mark but with a reason is complete",
      { kind: "no-done" },
      200,
      undefined,
      { kind: "completed", finishReason: "length" },
    ],
  ])("%s", async (_name, fault, status, code, wanted) => {
    engine([fault]);
    const { value, outcome, total } = await recorded(() => send(chatBody({ tokens: 12 })));
    engine([]);
    expect(value.status).toBe(status);
    expect(code === undefined || value.code === code).toBe(true);
    expect(outcome).toEqual(wanted);
    expect(total).toBe(1);
    const claimsAnEnd = value.text.includes("[DONE]") && code !== undefined;
    expect(claimsAnEnd).toBe(false);
  });

  test("cuts an unstreamed answer leaves it visibly incomplete or says so", async () => {
    engine([{ kind: "cut", afterTokens: 2, how: "rst" }]);
    const { value, outcome } = await recorded(() => send(chatBody({ tokens: 12, stream: false })));
    engine([]);
    expect(value).toMatchObject({ status: 502, code: "upstream_cut", source: "proxy" });
    expect(outcome).toEqual({ kind: "failed", code: "upstream_cut" });
  });

  test("is the only one and down gives 503 with a time to come back, and works again when it is up", async () => {
    const lone = await startFleet(["vllm"]);
    await lone.engines[0]!.close();
    const ask = (): ReturnType<typeof request> =>
      request(`${lone.proxy.dataUrl}/v1/chat/completions`, {
        method: "POST",
        headers: JSON_HEADERS,
        body: chatBody(),
      });
    const first = await ask();
    expect([502, 503]).toContain(first.statusCode);
    await first.body.dump();
    await until(() => lone.proxy.fleet.views()[0]!.state === "down", "the replica is down");
    const second = await ask();
    expect(second.statusCode).toBe(503);
    expect(second.headers).toMatchObject({ "retry-after": "1", "x-pitot-error-source": "proxy" });
    expect(await second.body.json()).toMatchObject({ error: { code: "no_replica_available" } });
    expect((await request(`${lone.proxy.dataUrl}/readyz`)).statusCode).toBe(503);
    await lone.stop();
  });
});
