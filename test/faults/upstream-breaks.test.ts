import { afterEach, describe, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import { until } from "../harness/fleet.ts";
import {
  chat,
  chunk,
  DONE,
  ERROR_EVENT,
  FINISH,
  LAST_CHUNK,
  type RawFleet,
  ROLE,
  SSE_HEAD,
  startRawFleet,
  stream,
  token,
} from "./raw-fleet.ts";

let fleet: RawFleet;
afterEach(() => fleet.stop());

const results = (record: { attempts: readonly { result: string }[] }): string[] =>
  record.attempts.map(({ result }) => result);

describe("after a byte of the answer", () => {
  const broken: readonly (readonly [string, string, "reset" | "fin"])[] = [
    ["F19 a reset after k events", chunk(ROLE + token() + token()), "reset"],
    ["F19 an end after k events", chunk(ROLE + token() + token()), "fin"],
    [
      "F20 an end after the last token, before [DONE]",
      chunk(ROLE + token() + token() + FINISH),
      "fin",
    ],
  ];
  test.each(broken)(
    "%s is told by an error event, not ended cleanly, and never tried again",
    async (_name, bytes, how) => {
      fleet = await startRawFleet(2);
      for (const upstream of fleet.upstreams)
        upstream.script = (socket) => {
          socket.write(SSE_HEAD + bytes);
          setTimeout(() => (how === "fin" ? socket.end() : socket.resetAndDestroy()), 20);
        };
      const { answer: got, text, record } = await fleet.ask(chat());
      const events = text.split("\n\n").filter((event) => event !== "");
      expect(events.filter((event) => event.includes('"content":"a"'))).toHaveLength(2);
      expect(JSON.parse(events.at(-1)!.slice(6))).toMatchObject({
        error: { code: "upstream_cut", type: "pitot_error" },
      });
      expect(text).not.toContain("[DONE]");
      expect(got.isComplete).toBe(false);
      expect(record.outcome).toEqual({ kind: "cut", code: "upstream_cut" });
      expect([record.tokens.output, fleet.seen()]).toEqual([2, 1]);
      expect(record.times.firstTokenMs).not.toBeNull();
    },
  );

  test("F19 a break in the middle of an event adds nothing to it: half an event and our words would be one", async () => {
    fleet = await startRawFleet(1);
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD + chunk(token() + token("torn").slice(0, -20)));
      setTimeout(() => socket.resetAndDestroy(), 20);
    };
    const { answer: got, text } = await fleet.ask(chat());
    expect(text.endsWith(token("torn").slice(0, -20))).toBe(true);
    expect(got.isComplete).toBe(false);
  });

  test("F18 a reset after the headers of an answer in one piece is still before its first byte", async () => {
    fleet = await startRawFleet(2);
    let asked = 0;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket, request) => {
        if (asked++ > 0) return stream()(socket, request);
        socket.write(SSE_HEAD);
        setTimeout(() => socket.resetAndDestroy(), 20);
      };
    const { answer: got, record } = await fleet.ask(chat());
    expect([got.status, results(record)]).toEqual([200, ["upstream_cut", "answered"]]);
  });

  test("F21 a reset after [DONE] has broken nothing: the answer was all there", async () => {
    fleet = await startRawFleet(1);
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD + chunk(ROLE + token() + FINISH + DONE));
      setTimeout(() => socket.resetAndDestroy(), 20);
    };
    const { answer: got, text, record } = await fleet.ask(chat());
    expect([got.isComplete, text.includes("[DONE]")]).toEqual([true, true]);
    expect(record.outcome).toEqual({ kind: "completed", finishReason: "stop" });
    await until(() => fleet.upstreams[0]!.open <= 1, "the socket is not used again");
  });

  const HEAD_CLOSE =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
  test.each([
    [
      "is cut unless its words say that it ended",
      token() + token(),
      { kind: "cut", code: "upstream_cut" },
      "upstream_cut",
    ],
    [
      "is whole with a finish reason",
      token() + FINISH,
      { kind: "completed", finishReason: "stop" },
      FINISH,
    ],
    ["is whole with [DONE]", token() + DONE, { kind: "completed", finishReason: null }, DONE],
  ])("F22 a stream that only its connection ends %s", async (_name, bytes, outcome, says) => {
    fleet = await startRawFleet(1);
    fleet.upstreams[0]!.script = (socket) => void socket.end(HEAD_CLOSE + bytes);
    const { text, record } = await fleet.ask(chat());
    expect(record.outcome).toEqual(outcome);
    expect(text).toContain(says);
  });

  test("F23 a 200 that ends in an error event and [DONE] is passed on unchanged and counts as a failure", async () => {
    fleet = await startRawFleet(1, { breaker: { consecutiveMax: 2 } });
    const bytes = ROLE + ERROR_EVENT + DONE;
    fleet.upstreams[0]!.script = (socket) =>
      void socket.write(SSE_HEAD + chunk(bytes) + LAST_CHUNK);
    for (let request = 0; request < 2; request++) {
      const { text, record } = await fleet.ask(chat());
      expect(text).toBe(bytes);
      expect(record.outcome).toEqual({ kind: "failed", code: "upstream_error_event" });
      expect(record.times.firstTokenMs).toBeNull();
    }
    expect(fleet.proxy.fleet.views()[0]!.breakerOpen).toBe(true);
  });

  test("F24, R03 an error in the fiftieth event is passed on and never tried again", async () => {
    fleet = await startRawFleet(2);
    const bytes = ROLE + token().repeat(49) + ERROR_EVENT + DONE;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => void socket.write(SSE_HEAD + chunk(bytes) + LAST_CHUNK);
    const { text, record } = await fleet.ask(chat());
    expect(text).toBe(bytes);
    expect([record.outcome, fleet.seen()]).toEqual([
      { kind: "cut", code: "upstream_error_event" },
      1,
    ]);
  });

  test("F48 twenty streams that die at once are told at once, and the next request goes elsewhere", async () => {
    fleet = await startRawFleet(2);
    const [dying, well] = fleet.upstreams;
    const sockets = new Set<{ resetAndDestroy(): unknown }>();
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => {
        sockets.add(socket);
        socket.write(SSE_HEAD + chunk(token()));
      };
    const clients = await Promise.all(Array.from({ length: 20 }, () => fleet.send(chat())));
    await until(() => clients.every((client) => client.bytes.includes('"content"')), "all flow");
    well!.script = stream();
    const startedMs = systemClock.nowMs();
    for (const socket of sockets) socket.resetAndDestroy();
    await dying!.stop();
    await until(() => clients.every((client) => client.isClosed), "all are told", 2_000);
    expect(systemClock.nowMs() - startedMs).toBeLessThan(2_000);
    for (const client of clients) expect(client.bytes.toString()).toContain("upstream_cut");
    await until(() => fleet.proxy.feed.inFlightCount === 0, "all are over");
    expect((await fleet.ask(chat())).answer.status).toBe(200);
  });
});
