import type { CDPSession } from "playwright-core";
import { systemClock } from "../../engines/clock.ts";
import { openBoard } from "../browser/board-page.ts";
import { openChromium, openPage } from "../browser/chromium.ts";
import { startBoardFeed } from "./board-feed.ts";

/**
 * Whether a board left open grows: `node test/bench/board-growth.ts [minutes] [frames a second]`, an hour in time unless
 * said otherwise. Two boards are told what 64 replicas with 300 requests a second would tell them; what they hold is read
 * once a minute after a collection. It must stand still once the board's memory of fifteen minutes is full, and the exit
 * code says whether it did.
 */
const minutes = Number(process.argv[2] ?? 60);
const framesPerSecond = Number(process.argv[3] ?? 1);
const PATHS = ["/", "/requests"] as const;
/** What the board remembers, and a little for caches that fill late. */
const SETTLED_AFTER_MIN = 20;
/** Fewer readings carry no slope. */
const READINGS_MIN = 5;
/** Noise of the collector's; a board that kept one row a second would grow by ten times this. */
const NOISE_KIB_PER_HOUR = 512;

interface Board {
  readonly path: string;
  readonly session: CDPSession;
  readonly heapsKib: number[];
}

async function joined(path: string): Promise<Board> {
  const page = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  await openBoard(page, feed.url + path);
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable");
  return { path, session, heapsKib: [] };
}

async function read({ path, session, heapsKib }: Board): Promise<void> {
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const of = (name: string): number => metrics.find((one) => one.name === name)?.value ?? 0;
  heapsKib.push(of("JSHeapUsedSize") / 1_024);
  const minute = String(heapsKib.length - 1).padStart(2, "0");
  process.stdout.write(
    `${minute} min ${path.padEnd(10)} heap ${(of("JSHeapUsedSize") / 1_048_576).toFixed(2)} MiB, ${of("Nodes")} nodes, ${of("JSEventListeners")} listeners\n`,
  );
}

/** KiB an hour, by least squares. */
function growth(heapsKib: readonly number[]): number {
  const meanX = (heapsKib.length - 1) / 2;
  const meanY = heapsKib.reduce((sum, heap) => sum + heap, 0) / heapsKib.length;
  const over = heapsKib.reduce((sum, heap, x) => sum + (x - meanX) * (heap - meanY), 0);
  const under = heapsKib.reduce((sum, _, x) => sum + (x - meanX) ** 2, 0);
  return (over / under) * 60;
}

const feed = await startBoardFeed({ replicas: 64, requestsPerSecond: 300, historySeconds: 0 });
const browser = await openChromium();
const boards: Board[] = [];
for (const path of PATHS) boards.push(await joined(path));
const startMs = systemClock.nowMs();
for (let at = 0; at < minutes * 60; at++) {
  if (at % 60 === 0) for (const board of boards) await read(board);
  feed.tick();
  const dueMs = startMs + ((at + 1) * 1_000) / framesPerSecond;
  await systemClock.after(Math.max(0, dueMs - systemClock.nowMs()));
}
for (const board of boards) await read(board);
for (const { path, heapsKib } of boards) {
  const settled = heapsKib.slice(SETTLED_AFTER_MIN);
  if (settled.length < READINGS_MIN) {
    process.stdout.write(`${path}: too short to tell: its memory fills for 15 minutes\n`);
    continue;
  }
  const [least, most] = [Math.min(...settled), Math.max(...settled)].map((kib) => kib / 1_024);
  const grownKib = growth(settled);
  process.stdout.write(
    `${path}: ${least?.toFixed(2)} to ${most?.toFixed(2)} MiB from minute ${SETTLED_AFTER_MIN} on, ${grownKib.toFixed(0)} KiB an hour\n`,
  );
  if (grownKib > NOISE_KIB_PER_HOUR) process.exitCode = 1;
}
await browser.close();
feed.stop();
