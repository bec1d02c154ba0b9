import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { codeOf, valueOf } from "../../../harness/http-answer.ts";
import { chat, CHAT_BODY, get, type RawPair, startRawPair } from "../../../harness/raw-pair.ts";

let pair: RawPair;
beforeAll(async () => {
  pair = await startRawPair();
});
afterAll(() => pair.stop());

interface Told {
  readonly status: number | undefined;
  readonly code: string | undefined;
  /** Targets the engine saw. */
  readonly seen: readonly string[];
}

async function told(bytes: string): Promise<Told> {
  const before = pair.upstream.seen.length;
  const [answer] = await pair.ask(bytes);
  const seen = pair.upstream.seen.slice(before).map(({ target }) => target);
  return { status: answer?.status, code: codeOf(answer), seen };
}

/** A request for `target` whose only header lines are `lines`. */
const bare = (target: string, lines: string): string => `GET ${target} HTTP/1.1\r\n${lines}\r\n`;
const BAD = { status: 400, code: "bad_request", seen: [] };

describe("Host", () => {
  test.each([
    ["none", ""],
    ["two that differ", "host: a\r\nhost: b\r\n"],
    ["two that agree", "host: a\r\nhost: a\r\n"],
    ["a list", "host: a, b\r\n"],
    ["a user", "host: user@a\r\n"],
    ["a path", "host: a/b\r\n"],
    ["a fragment", "host: a#b\r\n"],
    ["one made to change who is asked", "host: x/#@y\r\n"],
    ["an empty one", "host:\r\n"],
    ["a port that is no number", "host: a:b\r\n"],
    ["a space", "host: a b\r\n"],
  ])("H17 %s is refused", async (_name, lines) => {
    expect(await told(bare("/v1/things", lines))).toEqual(BAD);
  });

  test.each(["a", "a:8080", "127.0.0.1", "[::1]:8080", "my_service", "a."])(
    "H17 %s is taken",
    async (host) => {
      expect(await told(bare("/v1/things", `host: ${host}\r\n`))).toMatchObject({ status: 200 });
    },
  );

  test("S20 no header steers where a request goes", async () => {
    const steering = [
      "x-forwarded-host",
      "x-portkey-custom-host",
      "x-original-url",
      "x-rewrite-url",
    ];
    const lines = [...steering, "x-host", "forwarded"].map((name) => `${name}: evil.test\r\n`);
    expect(await told(chat(lines.join("")))).toMatchObject({
      status: 200,
      seen: ["/v1/chat/completions"],
    });
    const { host } = new URL(pair.upstream.url);
    expect(pair.upstream.seen.at(-1)!.headers[0]).toEqual(["host", host]);
  });
});

describe("the form of a target", () => {
  test.each([
    ["the same Host", "http://pitot.test/v1/things?a=1"],
    ["another Host", "http://elsewhere.test:81/v1/things?a=1"],
    ["https", "HTTPS://pitot.test/v1/things?a=1"],
  ])("H18 absolute with %s goes on as a path", async (_name, target) => {
    expect(await told(get(target))).toMatchObject({ status: 200, seen: ["/v1/things?a=1"] });
    const { host } = new URL(pair.upstream.url);
    expect(pair.upstream.seen.at(-1)!.headers[0]).toEqual(["host", host]);
  });

  test.each([
    "file:///v1/things",
    "ftp://a/v1/things",
    "javascript:1",
    "//",
    "v1/things",
    "http://user@a/v1/things",
    "http:///v1/things",
    "http://a,b/v1/things",
  ])("H19 %s is refused", async (target) => {
    const { status, seen } = await told(get(target));
    expect([400, 404]).toContain(status);
    expect(seen).toEqual([]);
  });

  test("H20 CONNECT opens nothing", async () => {
    const { status, code, seen } = await told("CONNECT a:443 HTTP/1.1\r\nhost: a:443\r\n\r\n");
    expect({ status, code, seen }).toEqual({ status: 405, code: "method_not_allowed", seen: [] });
  });

  test("H21 OPTIONS * is answered here", async () => {
    expect(await told(get("*", "", "OPTIONS"))).toEqual({ status: 204, code: undefined, seen: [] });
  });

  test("H22 GET * is refused", async () => {
    expect(await told(get("*"))).toEqual(BAD);
  });

  test.each(["#f", "?a=1#f"])("H53 a fragment is refused: %s", async (end) => {
    expect(await told(get(`/v1/things${end}`))).toEqual(BAD);
  });

  test.each([
    "?b=2&a=1&a=&=x&a=1&&c",
    "?q=a+b%20c%2B",
    "?",
    "?redirect=http://a/../b;c//d\\e",
    "?q=%00%0d%0a%ff",
  ])("H54 the query %s arrives byte for byte", async (query) => {
    expect(await told(get(`/v1/things${query}`))).toMatchObject({ seen: [`/v1/things${query}`] });
  });

  test("H51 8 000 bytes of target are taken, 64 KiB are not", async () => {
    const long = `/v1/things?${"x".repeat(8_000)}`;
    expect(await told(get(long))).toMatchObject({ status: 200, seen: [long] });
    expect(await told(get(`/v1/things?${"x".repeat(65_536)}`))).toMatchObject({
      status: 431,
      code: "headers_too_large",
      seen: [],
    });
  });
});

describe("methods", () => {
  test.each(["/v1/chat/completions", "/v1/things", "/healthz", "/nowhere"])(
    "H23 TRACE of %s echoes nothing",
    async (path) => {
      const secret = "authorization: Bearer canary\r\nmax-forwards: 0\r\n";
      for (const rest of [secret, `${secret}content-length: 5\r\n`]) {
        const [answer] = await pair.ask(`${get(path, rest, "TRACE")}hello`);
        expect(answer?.status).toBe(405);
        expect(valueOf(answer!, "allow")).toMatch(/OPTIONS/);
        expect(answer!.body.toString()).not.toContain("canary");
      }
    },
  );

  test("H24 Max-Forwards of OPTIONS is counted down, and at 0 answered here", async () => {
    const before = pair.upstream.seen.length;
    const [none] = await pair.ask(get("/v1/things", "max-forwards: 0\r\n", "OPTIONS"));
    expect(none?.status).toBe(204);
    expect(pair.upstream.seen.length).toBe(before);
    await pair.ask(get("/v1/things", "max-forwards: 3\r\n", "OPTIONS"));
    expect(pair.upstream.seen.at(-1)!.headers).toContainEqual(["max-forwards", "2"]);
  });

  test.each(["get", "FOO", "Post", "G3T"])("H25 the method %s is refused", async (method) => {
    const bytes = get("/v1/things", "", method);
    expect(await told(bytes)).toEqual({ status: 405, code: "method_not_allowed", seen: [] });
  });

  test.each(["QUERY", "PATCH", "DELETE", "PUT", "GET"])(
    "H25 %s on a path nobody knows goes on as it is",
    async (method) => {
      await pair.ask(get("/v1/things/7", "", method));
      expect(pair.upstream.seen.at(-1)).toMatchObject({ method, target: "/v1/things/7" });
    },
  );

  test("S26 a preflight is the engine's to answer, and nothing is added to it", async () => {
    const preflight = "origin: http://app.test\r\naccess-control-request-method: POST\r\n";
    const [answer] = await pair.ask(get("/v1/chat/completions", preflight, "OPTIONS"));
    expect(answer?.status).toBe(200);
    expect(answer?.headers.filter(([name]) => name.startsWith("access-control"))).toEqual([]);
    expect(pair.upstream.seen.at(-1)).toMatchObject({ method: "OPTIONS" });
    const [own] = await pair.ask(get("/healthz", preflight));
    expect(own?.headers.filter(([name]) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("paths", () => {
  const forbidden = { status: 403, code: "forbidden", seen: [] };
  const unknown = { status: 404, code: "not_found", seen: [] };

  test.each(["/api/v1/state", "/api/v1/replicas", "/metrics", "/", "/api/v1/config", "/v1"])(
    "S02 %s is not on the data port",
    async (path) => {
      expect(await told(get(path))).toEqual(unknown);
    },
  );

  test.each([
    "/load_lora_adapter",
    "/collective_rpc",
    "/sleep",
    "/flush_cache",
    "/shutdown",
    "/pause",
    "/update_weights_from_disk",
    "/start_profile",
    "/tokenize",
    "/metrics",
    "/docs",
    "/slots",
    "/props",
    "/openapi.json",
    "/v1/../sleep",
    "/abort_request",
  ])("S04 %s is not reachable", async (path) => {
    for (const method of ["GET", "POST"])
      expect(await told(get(path, "", method))).toEqual(unknown);
  });

  test.each([
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/v1/sleep",
    "/v1/slots/0",
    "/v1/metrics",
  ])("S04 %s is not reachable under /v1 either", async (path) => {
    expect(await told(get(path, "", "POST"))).toEqual(forbidden);
  });

  test.each([
    "/v1//load_lora_adapter",
    "//v1/load_lora_adapter",
    "/v1/./load_lora_adapter",
    "/v1/x/../load_lora_adapter",
    "/v1/%6coad_lora_adapter",
    "/v1/load_lora_adapter;x",
    "/v1/load_lora_adapter;x=1/",
    "/v1\\load_lora_adapter",
    "/v1/%5cload_lora_adapter",
    "/v1/LOAD_LORA_ADAPTER",
    "/v1/load_lora_adapter.",
    "/v1/load_lora_adapter/",
    "/v1/x/%2e%2e/load_lora_adapter",
    "/v1%2fload_lora_adapter",
    "/V1/load_lora_adapter",
    "http://a/v1/load_lora_adapter",
    "/v1/load_lora_adapter%20",
    "/v1/load_lora_adapter?x",
    "/v1;x/load_lora_adapter",
  ])("S05 %s is no way around", async (path) => {
    expect(await told(get(path, "", "POST"))).toEqual(forbidden);
  });

  test.each(["/v1/../sleep", "/v1/%2e%2e/sleep", "/v1/..%2fsleep", "/v1/x/../../sleep"])(
    "S05 %s leads nowhere",
    async (path) => {
      expect(await told(get(path, "", "POST"))).toEqual(unknown);
    },
  );

  test.each([
    "/v1/a/../b",
    "/v1//b",
    "/v1/a\\b",
    "/v1/%00",
    "/v1/%0d%0aX:1",
    "/v1/caf\xe9",
    "/v1/%c0%ae%c0%ae/b",
    "/v1/%zz",
    "/v1/%",
    "/v1/%2e%2e/v1/b",
    "/v1/\x7f",
    "/v1/a b",
  ])("H52 %j never reaches the engine", async (path) => {
    const { status, seen } = await told(get(path));
    expect({ status, seen }).toEqual({ status: 400, seen: [] });
  });

  test.each([
    "/v1/models/meta-llama%2FLlama-3.1-8B",
    "/v1/Things/A.b",
    "/v1/a%20b",
    "/v1/%E6%9D%B1",
    "/v1/things/",
    "/v1/a:b@c,d!e~f",
    "/v1/...",
    "/v1/a..b",
  ])("H52 %s arrives byte for byte", async (path) => {
    expect(await told(get(path))).toMatchObject({ status: 200, seen: [path] });
  });

  test("S07 a key in the query is in no record", async () => {
    await told(get("/v1/things?api_key=canary&key=canary"));
    await told(chat().replace("/completions", "/completions?api_key=canary"));
    await told(get("/v1/chat/completions?api_key=canary"));
    const kept = JSON.stringify([...pair.proxy.telemetry.ring.newest()]);
    expect(kept).toContain("chat");
    expect(kept).not.toContain("canary");
  });

  test("a body for a path nobody knows arrives byte for byte", async () => {
    const bytes = `PUT /v1/files/1 HTTP/1.1\r\nhost: a\r\ncontent-length: ${CHAT_BODY.length}\r\n\r\n${CHAT_BODY}`;
    await pair.ask(bytes);
    expect(pair.upstream.seen.at(-1)!.body.toString()).toBe(CHAT_BODY);
  });
});
