import type { Browser, Page } from "playwright-core";
import { systemClock } from "../../engines/clock.ts";
import { openBoard } from "../browser/board-page.ts";
import { openChromium, openPage } from "../browser/chromium.ts";
import { startBoardFeed } from "./board-feed.ts";

/**
 * What a second costs each page of the board with 64 replicas and 300 requests a second, its memory of fifteen minutes
 * full: `node test/bench/board.ts [path…]`. Read off a trace of Chromium's own: script, style and layout, and painting on the
 * page's thread, rasterizing beside it; and how many screen frames of 1/60 s a second's work made late.
 */
const asked = process.argv.slice(2);
const PATHS = asked.length > 0 ? asked : ["/", "/replicas", "/replicas/vllm-0", "/requests"];
const FRAME_MS = 1_000 / 60;
const TICKS = 20;
/** Between ticks: each has ended, with what it sets off, before the next comes. */
const TICK_MS = 400;

/** Names of `devtools.timeline`, by what they are the cost of. */
const COSTS = {
  script:
    /^(FunctionCall|EvaluateScript|RunMicrotasks|BlinkScheduler_PerformMicrotaskCheckpoint|TimerFire|EventDispatch|FireAnimationFrame|v8\..*|V8\.GC.*|M..orGC)$/,
  style: /^UpdateLayoutTree$/,
  layout: /^Layout$/,
  paint: /^(PrePaint|Paint|Layerize|Commit|UpdateLayer|CompositeLayers)$/,
} as const;
type Cost = keyof typeof COSTS;

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  /** Of the thread alone: what others do on the machine is not in it. */
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

async function traced(
  browser: Browser,
  page: Page,
  act: () => Promise<void>,
): Promise<TraceEvent[]> {
  await browser.startTracing(page, {
    categories: [
      "-*",
      "toplevel",
      "devtools.timeline",
      "disabled-by-default-devtools.timeline",
      "v8",
      "blink",
    ],
  });
  await act();
  const trace = JSON.parse((await browser.stopTracing()).toString()) as {
    readonly traceEvents: TraceEvent[];
  };
  return trace.traceEvents;
}

/** Milliseconds by cost, each event's own: what lies within another is not counted twice. */
function ownMs(events: readonly TraceEvent[]): ReadonlyMap<Cost, number> {
  const sums = new Map<Cost, number>();
  const open: { readonly untilUs: number; readonly cost: Cost | undefined }[] = [];
  const add = (cost: Cost | undefined, us: number): void => {
    if (cost !== undefined) sums.set(cost, (sums.get(cost) ?? 0) + us / 1_000);
  };
  const sorted = events.toSorted((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0));
  for (const { name, ts, dur = 0, tdur = dur } of sorted) {
    const cost = (Object.keys(COSTS) as Cost[]).find((one) => COSTS[one].test(name));
    if (cost === undefined) continue;
    while ((open.at(-1)?.untilUs ?? Infinity) <= ts) open.pop();
    add(open.at(-1)?.cost, -tdur);
    add(cost, tdur);
    open.push({ untilUs: ts + dur, cost });
  }
  return sums;
}

/** Counts screen frames that came late, until stopped. */
const WATCH = `(() => {
  const seen = (window.lateFrames = { late: 0, all: 0 });
  let last = performance.now();
  const frame = (now) => {
    seen.late += Math.max(0, Math.round((now - last) / (1000 / 60)) - 1);
    seen.all++;
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})()`;

const feed = await startBoardFeed({ replicas: 64, requestsPerSecond: 300, historySeconds: 900 });
const browser = await openChromium();
for (const path of PATHS) {
  const page = await openPage(browser, { viewport: { width: 1440, height: 1000 } });
  await openBoard(page, feed.url + path);
  const ticks = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      feed.tick();
      await systemClock.after(TICK_MS);
    }
  };
  await ticks(5);
  const events = await traced(browser, page, () => ticks(TICKS));
  const mains = events.filter(
    ({ name, args }) => name === "thread_name" && args?.name === "CrRendererMain",
  );
  const busy = (pid: number): number =>
    events.filter((event) => event.pid === pid && event.name === "Paint").length;
  const main = mains.toSorted((a, b) => busy(b.pid) - busy(a.pid))[0];
  const own = events.filter(
    ({ pid, tid, ph }) => ph === "X" && pid === main?.pid && tid === main.tid,
  );
  const costs = ownMs(own);
  const tasks = own.filter(
    ({ name }) => name === "RunTask" || name === "ThreadControllerImpl::RunTask",
  );
  const longestMs = tasks
    .map(({ dur = 0, tdur = dur }) => tdur / 1_000)
    .toSorted((a, b) => b - a)
    .slice(0, TICKS);
  const raster = events
    .filter(({ name, ph, pid }) => ph === "X" && name === "RasterTask" && pid !== undefined)
    .reduce((sum, { dur = 0, tdur = dur }) => sum + tdur / 1_000, 0);
  await page.evaluate(WATCH);
  await ticks(TICKS);
  const { late, all } = await page.evaluate<{ late: number; all: number }>("window.lateFrames");
  const total = [...costs.values()].reduce((sum, ms) => sum + ms, 0) / TICKS;
  process.stdout.write(
    `${path.padEnd(18)} a second: ${[...costs].map(([cost, ms]) => `${cost} ${(ms / TICKS).toFixed(1)}`).join(", ")} = ${total.toFixed(1)} ms (${(total / FRAME_MS).toFixed(2)} of a frame); median longest task ${longestMs[Math.floor(TICKS / 2)]?.toFixed(1)} ms; raster beside it ${(raster / TICKS).toFixed(1)} ms; ${(late / TICKS).toFixed(2)} late frames a tick (${all} drawn)\n`,
  );
  await page.context().close();
}
await browser.close();
feed.stop();
