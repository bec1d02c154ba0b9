import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { WebSocketServer } from "ws";
import { seededRandom } from "../../engines/random.ts";
import { EncodedFrame } from "../../proxy/live/encoded-frame.ts";
import type { EndedRow, SnapshotFrame, Tick, TickFrame } from "../../proxy/live/frames.ts";
import { syntheticFrames, syntheticRows } from "../browser/synthetic-recording.ts";

const DIST = join(import.meta.dirname, "..", "..", "dashboard", "dist");
const TYPES = new Map([
  ["js", "text/javascript"],
  ["css", "text/css"],
  ["svg", "image/svg+xml"],
]);
const KEPT_ROWS = 1_000;

export interface BoardFeed {
  readonly url: string;
  /** Tells every board the next second. */
  tick(): void;
  stop(): void;
}

export interface FeedPlan {
  readonly replicas: number;
  readonly requestsPerSecond: number;
  /** Seconds a board is told when it joins. */
  readonly historySeconds: number;
}

/** The built board and a fleet that never was, over a real socket, for the price of making its frames. */
export async function startBoardFeed(plan: FeedPlan): Promise<BoardFeed> {
  const ids = Array.from({ length: plan.replicas }, (_, at) => `vllm-${at}`);
  const random = seededRandom(11);
  const frames = syntheticFrames({ ...plan, seconds: Infinity });
  const first = frames.next().value as SnapshotFrame;
  const history: Tick[] = [];
  let last: TickFrame | null = null;
  let rows: readonly EndedRow[] = [];
  const next = (): TickFrame => {
    const frame = frames.next().value as TickFrame;
    const ended = { ids, nowMs: frame.nowMs, count: plan.requestsPerSecond };
    rows = [...syntheticRows(random, ended), ...rows].slice(0, KEPT_ROWS);
    last = frame;
    return frame;
  };
  while (history.length < plan.historySeconds) history.push(next().tick);

  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://board.test");
    if (pathname === "/api/v1/requests") {
      const requests = rows.slice(0, Number(searchParams.get("limit") ?? KEPT_ROWS));
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ requests, total: rows.length, keptMax: KEPT_ROWS }));
      return;
    }
    const type = TYPES.get(pathname.split(".").at(-1) ?? "");
    response.setHeader("content-type", type ?? "text/html");
    readFile(join(DIST, type === undefined ? "index.html" : pathname)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  sockets.on("connection", (socket) => {
    const { sequence, nowMs } = last ?? first;
    const snapshot = { ...first, sequence, nowMs, history, ended: rows.slice(0, 100) };
    socket.send(new EncodedFrame(snapshot).as("deflate-raw"));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tick: () => {
      const bytes = new EncodedFrame(next()).as("deflate-raw");
      for (const socket of sockets.clients) socket.send(bytes);
    },
    stop: () => {
      sockets.close();
      server.close();
      server.closeAllConnections();
    },
  };
}
