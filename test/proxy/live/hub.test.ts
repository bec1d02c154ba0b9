import { once } from "node:events";
import { createServer, request as httpRequest, type Server } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import {
  type Frame,
  RESUME_FRAMES,
  type SnapshotFrame,
  type TickFrame,
} from "../../../proxy/live/frames.ts";
import { LiveHub, VIEWERS_MAX } from "../../../proxy/live/hub.ts";
import { createTelemetry, type Telemetry } from "../../../proxy/telemetry/telemetry.ts";
import { exchangeOf, fleetOf } from "../../harness/exchanges.ts";
import { chatBody, JSON_HEADERS, startFleet, until } from "../../harness/fleet.ts";
import { request } from "undici";

let clock: VirtualClock;
let telemetry: Telemetry;
let hub: LiveHub;
let server: Server;
let port: number;
const sockets: WebSocket[] = [];

beforeEach(async () => {
  clock = new VirtualClock(1_800_000_000_000);
  const fleet = fleetOf(["m"], ["r0", "r1"]);
  telemetry = createTelemetry({ clock, fleet });
  const more = { release: "0.1.0", bootId: "boot", dataUrl: () => "http://x", mayWrite: false };
  hub = new LiveHub({ clock, telemetry, fleet, ...more });
  server = createServer().listen(0, "127.0.0.1");
  server.on("upgrade", (incoming, socket, head) => {
    hub.accept(incoming, socket, head);
  });
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
});
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.terminate();
  hub.stop();
  server.closeAllConnections();
  server.close();
});

async function watch(
  query = "",
  options: { readonly autoPong?: boolean } = {},
): Promise<{ socket: WebSocket; frames: Frame[]; closed: Promise<number> }> {
  const before = hub.viewers;
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/live${query}`, options);
  sockets.push(socket);
  const frames: Frame[] = [];
  socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as Frame));
  socket.on("error", () => {});
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  await once(socket, "open");
  await until(() => hub.viewers > before, "the viewer is in");
  return { socket, frames, closed };
}

/** Seconds with a request in each, waiting for nobody. */
function seconds(count: number): void {
  for (let index = 0; index < count; index++) {
    telemetry.feed.ended(exchangeOf({ endedMs: clock.nowMs() }));
    clock.advance(1_000);
  }
}

const ticksOf = (frames: readonly Frame[]): TickFrame[] =>
  frames.filter((frame): frame is TickFrame => frame.kind === "tick");
const secondsOf = (frames: readonly Frame[]): number[] =>
  ticksOf(frames).flatMap(({ missed, tick }) => [...missed, tick].map(({ atMs }) => atMs));

describe("viewers", () => {
  test("all get the same bytes, and a late one a snapshot that goes on where they are", async () => {
    const one = await watch();
    seconds(3);
    const two = await watch();
    await until(() => two.frames.length === 1, "the snapshot");
    seconds(2);
    await until(() => two.frames.length === 3 && one.frames.length === 6, "all frames");
    expect(two.frames[0]).toMatchObject({ kind: "snapshot", sequence: 3 });
    expect(two.frames.slice(1)).toEqual(one.frames.slice(4));
  });

  test("for whom seconds pass while their snapshot is made get those after it, merged", async () => {
    seconds(3);
    server.once("upgrade", () => {
      seconds(4);
    });
    const { frames } = await watch();
    await until(() => frames.length === 2, "what passed");
    seconds(1);
    await until(() => frames.length === 3, "what comes");
    expect(frames[0]).toMatchObject({ kind: "snapshot" });
    const told = (frames[0] as SnapshotFrame).history.map(({ atMs }) => atMs);
    const all = [...told, ...secondsOf(frames)];
    expect(all).toEqual(all.map((_, index) => all[0]! + index * 1_000));
    expect(frames.at(-1)!.sequence).toBe(frames[0]!.sequence + 5);
  });

  test("that come back in time get what they missed in one frame, and not a second more", async () => {
    const before = await watch();
    seconds(2);
    await until(() => before.frames.length === 3, "two ticks");
    const last = ticksOf(before.frames).at(-1)!.sequence;
    before.socket.terminate();
    await until(() => hub.viewers === 0, "it is gone");
    seconds(5);
    const after = await watch(`?boot=boot&after=${last}`);
    await until(() => after.frames.length === 1, "one frame");
    seconds(1);
    await until(() => after.frames.length === 2, "and the next");
    expect(after.frames.map(({ kind }) => kind)).toEqual(["tick", "tick"]);
    const all = [...secondsOf(before.frames), ...secondsOf(after.frames)];
    expect(all).toEqual(Array.from({ length: 8 }, (_, index) => 1_800_000_000_000 + index * 1_000));
    expect(ticksOf(after.frames)[0]!.ended).toHaveLength(5);
  });

  test.each([
    ["after a restart", "?boot=another&after=1", 1],
    ["after too long", "?boot=boot&after=1", RESUME_FRAMES + 5],
    ["with nonsense", "?boot=boot&after=x", 1],
    ["from the future", "?boot=boot&after=99999", 1],
  ])("that come back %s get a snapshot", async (_when, query, missed) => {
    const before = await watch();
    seconds(2);
    await until(() => before.frames.length === 3, "two ticks");
    before.socket.terminate();
    await until(() => hub.viewers === 0, "it is gone");
    seconds(missed);
    const after = await watch(query);
    await until(() => after.frames.length > 0, "a frame");
    expect(after.frames[0]!.kind).toBe("snapshot");
  });

  test("S34: one that reads nothing is skipped, then let go; the others never wait", async () => {
    const slow = await watch();
    const quick = await watch();
    await until(() => slow.frames.length === 1 && quick.frames.length === 1, "snapshots");
    slow.socket.pause();
    // Enough to fill the sockets between, then ten seconds of none taken.
    let sent = 0;
    await until(() => {
      for (let event = 0; event < 30; event++)
        telemetry.feed.event({ atMs: 0, kind: "deploy", subject: "x".repeat(20_000), message: "" });
      seconds(1);
      sent++;
      return hub.viewers === 1;
    }, "the slow one is let go");
    await until(() => ticksOf(quick.frames).length >= sent, "the quick one has all");
    expect(secondsOf(quick.frames).length).toBe(sent);
  });

  test("S35: beyond a hundred are told to come later, and those inside are not disturbed", async () => {
    for (let index = 0; index < VIEWERS_MAX; index++) await watch();
    const [refused] = (await once(
      httpRequest({
        port,
        host: "127.0.0.1",
        path: "/api/v1/live",
        headers: {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
      }).end(),
      "response",
    )) as [{ statusCode: number; headers: Record<string, string> }];
    expect([refused.statusCode, refused.headers["retry-after"]]).toEqual([503, "10"]);
    expect(hub.viewers).toBe(VIEWERS_MAX);
  });

  test("S36: half-open ones are cut off after two pings without an answer, the others stay", async () => {
    await watch("", { autoPong: false });
    const alive = await watch();
    for (let turn = 0; turn < 3; turn++) {
      const pinged = once(alive.socket, "ping");
      seconds(15);
      if (turn === 2) break;
      await pinged;
      // Its own ping is answered after its pong was read.
      alive.socket.ping();
      await once(alive.socket, "pong");
    }
    await until(() => hub.viewers === 1, "the half-open one is cut off");
  });
});

describe("S33: a viewer that", () => {
  /** A raw connection past its handshake, to send what no library would. */
  async function raw(): Promise<{ socket: Socket; code: Promise<number> }> {
    const socket = connect(port, "127.0.0.1");
    socket.write(
      "GET /api/v1/live HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    let bytes = Buffer.alloc(0);
    const code = new Promise<number>((resolve) => {
      socket.on("data", (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        // A close frame: 0x88, a length, the code.
        const at = bytes.lastIndexOf(Buffer.from([0x88]));
        if (at >= 0 && (bytes[at + 1] ?? 0) >= 2 && bytes.length >= at + 4)
          resolve(bytes.readUInt16BE(at + 2));
      });
      socket.on("close", () => {
        resolve(0);
      });
    });
    socket.on("error", () => {});
    await until(() => bytes.includes("snapshot"), "the snapshot");
    return { socket, code };
  }
  const masked = (first: number, payload: Buffer): Buffer =>
    Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload]);

  test.each([
    [
      "sends more than 64 KiB",
      1009,
      Buffer.concat([
        Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0]),
        Buffer.alloc(131_072),
      ]),
    ],
    [
      "sends tiny fragments without end",
      1008,
      Buffer.concat([
        masked(0x01, Buffer.from("a")),
        ...Array.from({ length: 20_000 }, () => masked(0x00, Buffer.from("a"))),
      ]),
    ],
    [
      "sends a thousand pings",
      1008,
      Buffer.concat(Array.from({ length: 1_000 }, () => masked(0x89, Buffer.alloc(0)))),
    ],
    ["sends no UTF-8", 1007, masked(0x81, Buffer.from([0xc3, 0x28]))],
    ["does not mask", 1002, Buffer.from([0x81, 0x01, 0x61])],
    ["sets reserved bits", 1002, masked(0xf1, Buffer.from("a"))],
  ])("%s is closed with %i", async (_what, wanted, bytes) => {
    const { socket, code } = await raw();
    socket.write(bytes);
    expect(await code).toBe(wanted);
    await until(() => hub.viewers === 0, "it is gone");
    socket.destroy();
  });
});

test("S37: frames carry no prompt, no answer, no key and no upstream credential", async () => {
  const fleet = await startFleet(["vllm"], { engine: { speed: 20 } });
  const socket = new WebSocket(`${fleet.proxy.adminUrl.replace("http", "ws")}/api/v1/live`);
  let seen = "";
  socket.on("message", (data: Buffer) => (seen += data.toString()));
  const answer = await request(`${fleet.proxy.dataUrl}/v1/chat/completions?api_key=CANARY-QUERY`, {
    method: "POST",
    headers: { ...JSON_HEADERS, authorization: "Bearer CANARY-KEY", cookie: "CANARY-COOKIE" },
    body: chatBody({ prompt: "CANARY-PROMPT", tokens: 20 }),
  });
  const text = await answer.body.text();
  await until(() => seen.includes('"completed"'), "the request is in a frame");
  expect(seen).not.toContain("CANARY");
  const word = /"content":"\s*(\w{6,})/.exec(text)?.[1];
  expect(word === undefined || !seen.includes(word)).toBe(true);
  socket.terminate();
  await fleet.stop();
});
