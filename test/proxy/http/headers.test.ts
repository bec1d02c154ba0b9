import { describe, expect, test } from "vitest";
import { downstreamHeaders, givenRequestId, upstreamHeaders } from "../../../proxy/http/headers.ts";

describe("request headers for the engine", () => {
  const sent = (raw: string[]): string[] => upstreamHeaders(raw, "ours");

  test("keep order, case and duplicates", () => {
    expect(sent(["X-B", "1", "x-a", "2", "X-B", "3"])).toEqual([
      "X-B",
      "1",
      "x-a",
      "2",
      "X-B",
      "3",
      "x-request-id",
      "ours",
    ]);
  });

  test.each([
    "Connection",
    "keep-alive",
    "Proxy-Authorization",
    "Proxy-Connection",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Expect",
    "Host",
    "x-pitot-session",
    "x-pitot-priority",
  ])("lose %s", (name) => {
    expect(sent([name, "x"])).toEqual(["x-request-id", "ours"]);
  });

  test("lose what Connection names", () => {
    expect(sent(["Connection", "close, X-Secret", "x-secret", "1", "x-kept", "2"])).toEqual([
      "x-kept",
      "2",
      "x-request-id",
      "ours",
    ]);
  });

  test("keep the client's key and its trace", () => {
    expect(sent(["authorization", "Bearer k", "traceparent", "00-1-2-01"])).toEqual([
      "authorization",
      "Bearer k",
      "traceparent",
      "00-1-2-01",
      "x-request-id",
      "ours",
    ]);
  });

  test("keep the client's own request id", () => {
    expect(sent(["X-Request-Id", "theirs"])).toEqual(["X-Request-Id", "theirs"]);
  });
});

describe("response headers for the client", () => {
  test("are the engine's, less its connection's", () => {
    expect(
      downstreamHeaders([
        "Server",
        "uvicorn",
        "Connection",
        "keep-alive",
        "Transfer-Encoding",
        "chunked",
        "X-Y",
        "1",
      ]),
    ).toEqual(["Server", "uvicorn", "X-Y", "1"]);
  });

  test("cannot pose as ours", () => {
    expect(
      downstreamHeaders(["x-pitot-replica", "forged", "x-pitot-error-source", "proxy"]),
    ).toEqual([]);
  });
});

test.each([
  [["x-request-id", "abc"], "abc"],
  [["x-request-id", "a b"], null],
  [["x-request-id", "x".repeat(200)], null],
  [[], null],
])("a request id of %j is taken as %s", (raw, wanted) => {
  expect(givenRequestId(raw)).toBe(wanted);
});
