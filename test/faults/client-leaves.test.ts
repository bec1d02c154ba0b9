import type { Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
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

/** How far the engine gets before its client leaves, and where the request stands then. */
const MOMENTS: readonly (readonly [string, (socket: Socket) => void, string, number | null])[] = [
  ["F02 before the engine's headers", () => {}, "waiting", null],
  [
    "F03 after the headers, before the first token",
    (socket) => socket.write(SSE_HEAD + chunk(ROLE)),
    "prefill",
    null,
  ],
  [
    "F01 in the middle of the stream",
    (socket) => socket.write(SSE_HEAD + chunk(ROLE + token() + token())),
    "decode",
    2,
  ],
];

describe("a client that leaves", () => {
  test.each(MOMENTS)(
    "%s frees the engine and is one record that says where",
    async (_name, script, phase, tokens) => {
      fleet = await startRawFleet(1);
      let isClosed = false;
      fleet.upstreams[0]!.script = (socket) => {
        script(socket);
        socket.once("close", () => (isClosed = true));
      };
      const before = fleet.proxy.telemetry.ring.total;
      const client = await fleet.send(chat({ more: { max_tokens: 50 } }));
      await until(() => fleet.seen() === 1, "the engine has the request");
      if (phase !== "waiting")
        await until(() => client.bytes.includes("data:"), "bytes reached the client");
      client.destroy();
      await until(() => isClosed, "the engine's socket is closed", 2_000);
      const record = await recordAfter(fleet.proxy, before);
      expect(record.outcome).toEqual({ kind: "cancelled", phase });
      expect(record.tokens.output).toBe(tokens);
      expect(record.savedTokens).toBe(50 - (tokens ?? 0));
      // A client that leaves says nothing of the replica.
      expect(fleet.proxy.fleet.views()[0]).toMatchObject({
        inFlight: 0,
        breakerOpen: false,
        state: "up",
      });
    },
  );

  test("R20 twenty times in a row is never held against the replica", async () => {
    fleet = await startRawFleet(1);
    fleet.upstreams[0]!.script = () => {};
    for (let time = 1; time <= 20; time++) {
      const client = await fleet.send(chat());
      await until(() => fleet.seen() === time, "the engine has the request");
      client.destroy();
    }
    await until(() => fleet.proxy.feed.inFlightCount === 0, "all are over");
    expect(fleet.proxy.fleet.views()[0]).toMatchObject({ breakerOpen: false, state: "up" });
  });

  test("F04 while it waits in the queue never reaches an engine and gives its place up", async () => {
    fleet = await startRawFleet(1, { inFlightMax: 1 });
    fleet.upstreams[0]!.script = () => {};
    const first = await fleet.send(chat());
    await until(() => fleet.seen() === 1, "the engine is busy");
    const before = fleet.proxy.telemetry.ring.total;
    const second = await fleet.send(chat());
    await until(() => fleet.proxy.feed.inFlightCount === 2, "the second waits");
    second.destroy();
    await until(() => fleet.proxy.feed.inFlightCount === 1, "the second is over", 2_000);
    const [record] = fleet.proxy.telemetry.ring.newest();
    expect(record?.outcome).toEqual({ kind: "cancelled", phase: "queued" });
    first.destroy();
    await until(() => fleet.proxy.telemetry.ring.total === before + 2, "both are over");
    expect(fleet.seen()).toBe(1);
  });

  test("F05 while its reader is paused is noticed all the same", async () => {
    fleet = await startRawFleet(1);
    let isClosed = false;
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD);
      const flood = chunk(token("x".repeat(50_000)));
      const pour = (): void => {
        while (!socket.destroyed && socket.write(flood));
        if (!socket.destroyed) socket.once("drain", pour);
      };
      pour();
      socket.once("close", () => (isClosed = true));
    };
    const client = await fleet.send(chat());
    client.socket.pause();
    await until(() => fleet.proxy.feed.inFlightCount === 1 && fleet.seen() === 1, "it flows");
    client.destroy();
    await until(() => isClosed, "the engine's socket is closed", 5_000);
    await until(() => fleet.proxy.feed.inFlightCount === 0, "it is over");
  });

  test("F06 half, having said all it wants, is taken for gone: an engine does not work on a guess", async () => {
    fleet = await startRawFleet(1);
    let isClosed = false;
    fleet.upstreams[0]!.script = (socket) => socket.once("close", () => (isClosed = true));
    const before = fleet.proxy.telemetry.ring.total;
    const client = await fleet.send(chat());
    await until(() => fleet.seen() === 1, "the engine has the request");
    client.socket.end();
    await until(() => isClosed, "the engine's socket is closed", 2_000);
    expect((await recordAfter(fleet.proxy, before)).outcome.kind).toBe("cancelled");
  });

  test("F07 during its upload reaches no engine and leaves nothing in the pool", async () => {
    fleet = await startRawFleet(1);
    const before = fleet.proxy.telemetry.ring.total;
    const client = await fleet.send(chat().slice(0, -10));
    await until(() => !client.isClosed, "it is connected");
    client.destroy();
    const record = await recordAfter(fleet.proxy, before);
    expect(record.outcome).toEqual({ kind: "cancelled", phase: "queued" });
    expect(fleet.seen()).toBe(0);
  });

  const ROUTES = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/messages",
    "/v1/embeddings",
  ];
  test.each(ROUTES.flatMap((path) => [true, false].map((streamed) => [path, streamed] as const)))(
    "F08 frees the engine on %s, streamed %s",
    async (path, streamed) => {
      fleet = await startRawFleet(1);
      let closed = 0;
      fleet.upstreams[0]!.script = (socket) => socket.once("close", () => closed++);
      const client = await fleet.send(chat({ path, streamed }));
      await until(() => fleet.seen() === 1, "the engine has the request");
      client.destroy();
      await until(() => closed === 1, "the engine's socket is closed", 2_000);
    },
  );

  test("F09, K04 two hundred at once free every engine, and nothing piles up", async () => {
    const warnings: string[] = [];
    const note = ({ name }: Error): void => void warnings.push(name);
    process.on("warning", note);
    fleet = await startRawFleet(2);
    let open = 0;
    for (const upstream of fleet.upstreams)
      upstream.script = (socket) => {
        open++;
        socket.write(SSE_HEAD + chunk(token()));
        socket.once("close", () => open--);
      };
    const clients = await Promise.all(Array.from({ length: 200 }, () => fleet.send(chat())));
    await until(() => fleet.seen() === 200, "all reached an engine");
    for (const client of clients) client.destroy();
    await until(() => open === 0 && fleet.proxy.feed.inFlightCount === 0, "all are free", 5_000);
    process.off("warning", note);
    expect(fleet.proxy.fleet.views().map((view) => view.inFlight)).toEqual([0, 0]);
    expect(warnings.filter((name) => name.includes("MaxListeners"))).toEqual([]);
  });

  test("F49 of which late bytes come hears nothing of them, and the replica serves the next", async () => {
    fleet = await startRawFleet(1);
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD + chunk(token("old")));
    };
    const client = await fleet.send(chat());
    await until(() => client.bytes.includes("old"), "it flows");
    client.destroy();
    await until(() => fleet.proxy.feed.inFlightCount === 0, "it is over");
    fleet.upstreams[0]!.script = (socket) => {
      socket.write(SSE_HEAD + chunk(token("new") + FINISH + DONE) + LAST_CHUNK);
    };
    const { text } = await fleet.ask(chat());
    expect(text).toContain("new");
    expect(text).not.toContain("old");
  });
});
