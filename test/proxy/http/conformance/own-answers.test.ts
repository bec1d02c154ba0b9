import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Answer, valueOf } from "../../../harness/http-answer.ts";
import { chat, get, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";
import { reply } from "../../../harness/raw-upstream.ts";

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair();
});
afterAll(() => pair.stop());

const UUID = /^[0-9a-f-]{36}$/;

async function answered(bytes: string): Promise<Answer> {
  return (await pair.ask(bytes))[0]!;
}

describe("an answer", () => {
  test.each([
    ["the engine's", chat()],
    ["our own", get("/healthz")],
    ["an error of ours", get("/nowhere")],
    ["a parse error", "nonsense\r\n\r\n"],
  ])("H59 %s answer has a date and names no product", async (_name, bytes) => {
    pair.upstream.script = (socket) => {
      socket.write(reply("{}", "server: uvicorn\r\nx-powered-by: express\r\n"));
    };
    const answer = await answered(bytes);
    const dates = answer.headers.filter(([name]) => name.toLowerCase() === "date");
    expect(dates).toHaveLength(1);
    expect(dates[0]![1]).toMatch(/^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(valueOf(answer, "server") ?? valueOf(answer, "x-powered-by")).toBeUndefined();
  });

  test.each([
    ["an unknown route", get("/nowhere"), 404],
    ["a control route", get("/v1/sleep"), 403],
    ["a wrong method", get("/v1/chat/completions"), 405],
    ["broken JSON", chat("", "{"), 400],
    ["two hosts", get("/v1/x", "host: b\r\n"), 400],
    ["a parse error", "nonsense\r\n\r\n", 400],
    ["an unknown model", chat("", '{"model":"nope"}'), 404],
  ])("H60 %s is told in one shape", async (_name, bytes, status) => {
    const [answer] = await pair.ask(bytes);
    expect(answer?.status).toBe(status);
    expect(answer?.framing).toBe("length");
    expect(valueOf(answer!, "content-type")).toBe("application/json");
    expect(valueOf(answer!, "x-pitot-error-source")).toBe("proxy");
    expect(valueOf(answer!, "x-request-id")).toMatch(/^[A-Za-z0-9._-]{1,128}$/);
    const { error } = JSON.parse(answer!.body.toString()) as { error: Record<string, unknown> };
    expect(Object.keys(error)).toEqual(["message", "type", "param", "code"]);
    expect(error).toMatchObject({ type: "pitot_error", param: null, code: expect.any(String) });
    const { host } = new URL(pair.upstream.url);
    expect(answer!.body.toString()).not.toMatch(new RegExp(`${host}|\\bat \\w+ \\(|node:`));
  });

  test("S47 a usable request id is kept on all ways", async () => {
    for (const bytes of [
      chat("x-request-id: req_1.A-b\r\n"),
      get("/x", "x-request-id: req_1.A-b\r\n"),
    ])
      expect(valueOf(await answered(bytes), "x-request-id")).toBe("req_1.A-b");
    expect(idsSent()).toEqual(["req_1.A-b"]);
  });

  test.each([
    ["with a space", "a b"],
    ["with a quote", 'a"b'],
    ["beyond ASCII", "a\xe9"],
    ["too long", "x".repeat(129)],
    ["empty", ""],
  ])("S47 I19 a request id %s is replaced", async (_name, given) => {
    for (const bytes of [
      chat(`x-request-id: ${given}\r\n`),
      get("/x", `x-request-id: ${given}\r\n`),
    ])
      expect(valueOf(await answered(bytes), "x-request-id")).toMatch(UUID);
    expect(idsSent()).toEqual([expect.stringMatching(UUID)]);
  });
});

/** Request ids the engine was told last. */
function idsSent(): string[] {
  const { headers } = pair.upstream.seen.at(-1)!;
  return headers.filter(([name]) => name === "x-request-id").map(([, value]) => value);
}
