import { describe, expect, test } from "vitest";
import {
  downstreamHeaders,
  givenRequestId,
  type Hop,
  upstreamHeaders,
  withReplicaHeaders,
} from "../../../proxy/http/headers.ts";

const HOP: Hop = {
  peer: "192.0.2.7",
  isTrusted: false,
  protocol: "http",
  host: "pitot.test",
  via: "1.1 pitot-1",
  requestId: "ours",
};
/** What is added to every request. */
const ADDED = [
  "x-request-id",
  "ours",
  "via",
  "1.1 pitot-1",
  "x-forwarded-for",
  "192.0.2.7",
  "x-forwarded-proto",
  "http",
  "x-forwarded-host",
  "pitot.test",
];

describe("request headers for the engine", () => {
  const sent = (raw: string[], hop: Partial<Hop> = {}): string[] =>
    upstreamHeaders(raw, { ...HOP, ...hop });

  test("keep order, case and repetition", () => {
    expect(sent(["X-B", "1", "x-a", "2", "X-B", "3"])).toEqual([
      "X-B",
      "1",
      "x-a",
      "2",
      "X-B",
      "3",
      ...ADDED,
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
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "Forwarded",
    "X-Real-IP",
    "X_Forwarded_For",
    "Transfer_Encoding",
    "X.Forwarded.For",
    "Content.Length",
  ])("lose %s", (name) => {
    expect(sent([name, "x"])).toEqual(ADDED);
  });

  test("keep a dot in a name that stands for nothing else", () => {
    expect(sent(["x-my.header", "1"])).toEqual(["x-my.header", "1", ...ADDED]);
  });

  test("lose what Connection names", () => {
    expect(sent(["Connection", "close, X-Secret", "x-secret", "1", "x-kept", "2"])).toEqual([
      "x-kept",
      "2",
      ...ADDED,
    ]);
  });

  test("keep what Connection may not name", () => {
    const named = "authorization, TraceParent, content-type";
    const kept = ["Authorization", "Bearer k", "traceparent", "00-1-2-01", "content-type", "a/b"];
    expect(sent(["connection", named, ...kept])).toEqual([...kept, ...ADDED]);
  });

  test("keep the client's own usable request id in its place, and no other", () => {
    const raw = ["X-Request-Id", "theirs", "x-a", "1", "x-request-id", "second"];
    expect(sent(raw, { requestId: "theirs" }).slice(0, 6)).toEqual([
      "X-Request-Id",
      "theirs",
      "x-a",
      "1",
      "via",
      "1.1 pitot-1",
    ]);
    expect(sent(["x-request-id", "not usable"])).toEqual(ADDED);
  });

  test("add to what a trusted proxy says of the hops before it", () => {
    const raw = ["x-forwarded-for", "198.51.100.1", "x-forwarded-proto", "https", "via", "1.1 lb"];
    expect(sent(raw, { isTrusted: true })).toEqual([
      ...raw,
      "x-request-id",
      "ours",
      "via",
      "1.1 pitot-1",
      "x-forwarded-for",
      "192.0.2.7",
      "x-forwarded-host",
      "pitot.test",
    ]);
  });
});

test("what one replica alone is told replaces the client's headers of those names", () => {
  const own = ["authorization", "Bearer replica"];
  expect(withReplicaHeaders(["Authorization", "Bearer client", "x-a", "1"], own)).toEqual([
    "x-a",
    "1",
    ...own,
  ]);
});

test("what would have an engine work on for nobody is left out, in any case", () => {
  const sent = ["X-Conversation-Id", "c-1", "x-a", "1", "x-conversation-id", "c-2"];
  expect(withReplicaHeaders(sent, [], ["x-conversation-id"])).toEqual(["x-a", "1"]);
  expect(withReplicaHeaders(sent, [], [])).toBe(sent);
});

describe("response headers for the client", () => {
  test("are the engine's, less its connection's", () => {
    expect(
      downstreamHeaders(
        [
          "Connection",
          "keep-alive, x-hop",
          "Transfer-Encoding",
          "chunked",
          "x-hop",
          "1",
          "Keep-Alive",
          "timeout=5",
          "X-Y",
          "1",
          "Set-Cookie",
          "a",
          "set-cookie",
          "b",
        ],
        200,
      ),
    ).toEqual(["X-Y", "1", "Set-Cookie", "a", "set-cookie", "b"]);
  });

  test("do not name the server behind us", () => {
    expect(downstreamHeaders(["Server", "uvicorn", "x-powered-by", "x"], 200)).toEqual([]);
  });

  test("cannot pose as ours", () => {
    expect(
      downstreamHeaders(["x-pitot-replica", "forged", "x-pitot-error-source", "proxy"], 200),
    ).toEqual([]);
  });
});

test.each([
  [["x-request-id", "abc"], "abc"],
  [["x-request-id", "a b"], null],
  [["x-request-id", "a/b"], null],
  [["x-request-id", ""], null],
  [["x-request-id", "x".repeat(200)], null],
  [[], null],
])("a request id of %j is taken as %s", (raw, wanted) => {
  expect(givenRequestId(raw)).toBe(wanted);
});
