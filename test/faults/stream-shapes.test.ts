import { connect } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { integer, seededRandom } from "../../engines/random.ts";
import { until } from "../harness/fleet.ts";
import {
  chat,
  chunk,
  DONE,
  FINISH,
  LAST_CHUNK,
  type RawFleet,
  recordAfter,
  ROLE,
  SSE_HEAD,
  startRawFleet,
  token,
} from "./raw-fleet.ts";

let fleet: RawFleet;
afterEach(() => fleet.stop());

/** Answers with these bytes as one chunked body, whatever they are. */
function says(body: string, type = "text/event-stream"): void {
  fleet.upstreams[0]!.script = (socket) =>
    void socket.write(SSE_HEAD.replace("text/event-stream", type) + chunk(body) + LAST_CHUNK);
}

const TWO = token("one") + token("two") + FINISH + DONE;

describe("a stream", () => {
  test.each([
    ["with LF", TWO],
    ["with CRLF", TWO.replaceAll("\n", "\r\n")],
    ["with CR", TWO.replaceAll("\n", "\r")],
    ["with all three", TWO.replace("\n\n", "\r\n\n").replace("two", "two")],
    [
      "with comments and other fields",
      `: hello\n\nid: 7\nretry: 10\n${token("one")}:\n\n${token("two")}${FINISH}${DONE}`,
    ],
    ["without a space behind the colon", TWO.replaceAll("data: ", "data:")],
    ["with data over several lines", TWO.replace('{"choices"', '\ndata: {"choices"')],
    ["with a byte order mark", `\uFEFF${TWO}`],
  ])("F37 %s comes through to the byte and is counted right", async (_name, body) => {
    fleet = await startRawFleet(1);
    says(body);
    const { text, record } = await fleet.ask(chat());
    expect(text).toBe(body);
    expect(record.outcome.kind).toBe("completed");
    // A mark before the first event hides it from a parser that does not strip it; the second is seen in any case.
    expect(record.outputEvents).toBe(2);
  });

  test("F38 cut anywhere, within characters too, comes through to the byte and is counted right, three hundred times", async () => {
    fleet = await startRawFleet(1);
    const random = seededRandom(38);
    const body = Buffer.from(
      ROLE + token("naïve 東京 🛩") + token("zwei") + token("🛩🛩") + FINISH + DONE,
    );
    for (let round = 0; round < 300; round++) {
      fleet.upstreams[0]!.script = (socket) => {
        socket.write(SSE_HEAD);
        for (let at = 0; at < body.length;) {
          const piece = body.subarray(at, at + 1 + integer(random, round < 20 ? 3 : 60));
          socket.write(`${piece.length.toString(16)}\r\n`);
          socket.write(piece);
          socket.write("\r\n");
          at += piece.length;
        }
        socket.write(LAST_CHUNK);
      };
      const { text, record } = await fleet.ask(chat());
      expect(text).toBe(body.toString());
      expect(record.outputEvents).toBe(3);
    }
  });

  test("F39 with an event of 8 MiB comes through and is not kept", async () => {
    fleet = await startRawFleet(1);
    const body = token("x".repeat(8 * 2 ** 20)) + token() + FINISH + DONE;
    says(body);
    const { text, record } = await fleet.ask(chat());
    expect(text.length).toBe(body.length);
    expect(record.outcome.kind).toBe("completed");
  });

  test.each([
    ["JSON called a stream", '{"choices":[{"message":{"content":"hi"}}]}', "text/event-stream"],
    ["a stream called JSON", TWO, "application/json"],
    ["noise called a stream", "\u0001\u0002 noise", "text/event-stream"],
    ["nothing known", TWO, "application/x-odd"],
  ])("F40 that is %s comes through to the byte and upsets nobody", async (_name, body, type) => {
    fleet = await startRawFleet(1);
    says(body, type);
    expect((await fleet.ask(chat())).text).toBe(body);
    says(TWO);
    expect((await fleet.ask(chat())).record.outcome.kind).toBe("completed");
  });

  const USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":2}}\n\n';
  test.each([
    ["broken JSON in the middle", token() + "data: {broken\n\n" + token() + FINISH + DONE, 2],
    ["two ends", TWO + DONE, 2],
    ["words after its end", TWO + token("late"), 3],
    ["usage without choices", ROLE + token() + token() + FINISH + USAGE + DONE, 2],
    ["a role and nothing else", ROLE + FINISH + DONE, 0],
  ])(
    "F41 with %s comes through to the byte, and no role is taken for a token",
    async (_name, body, outputs) => {
      fleet = await startRawFleet(1);
      says(body);
      const { text, record } = await fleet.ask(chat());
      expect([text, record.outputEvents]).toEqual([body, outputs]);
      expect(record.times.firstTokenMs === null).toBe(outputs === 0);
    },
  );

  test("F43 of events sent one by one arrives one by one, as it does without a proxy", async () => {
    fleet = await startRawFleet(1);
    const EVENTS = 200;
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD);
      let sent = 0;
      const next = (): void => {
        socket.write(chunk(token()));
        if (++sent < EVENTS) setTimeout(next, 1);
        else socket.write(chunk(FINISH + DONE) + LAST_CHUNK);
      };
      next();
    };
    const pieces = async (url: string, bytes: string): Promise<number> => {
      const socket = connect(Number(new URL(url).port), "127.0.0.1");
      let count = 0;
      let all = "";
      socket.on("data", (piece) => {
        count++;
        all += piece.toString();
      });
      socket.write(bytes);
      await until(() => all.includes("[DONE]"), "it is over");
      socket.destroy();
      return count;
    };
    const direct = await pieces(fleet.upstreams[0]!.url, chat({ headers: "via: 1.1 test\r\n" }));
    const before = fleet.proxy.telemetry.ring.total;
    const proxied = await pieces(fleet.proxy.dataUrl, chat());
    await recordAfter(fleet.proxy, before);
    expect(proxied / direct).toBeGreaterThan(0.7);
  });
});

test("F55 five hundred idle connections slow nobody and leave nothing behind", async () => {
  fleet = await startRawFleet(1);
  says(TWO);
  const { port } = new URL(fleet.proxy.dataUrl);
  const idle = await Promise.all(
    Array.from(
      { length: 500 },
      () =>
        new Promise<ReturnType<typeof connect>>((resolve) => {
          const socket = connect(Number(port), "127.0.0.1", () => resolve(socket));
        }),
    ),
  );
  for (let request = 0; request < 20; request++)
    expect((await fleet.ask(chat())).answer.status).toBe(200);
  for (const socket of idle) socket.destroy();
  await until(
    () => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length < 50,
    "all are closed",
  );
});
