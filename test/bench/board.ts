import { openChromium } from "../browser/chromium.ts";
import { NOWHERE, openWithoutServer } from "../browser/recording.ts";
import { syntheticRecording } from "../browser/synthetic-recording.ts";

/**
 * What a tick costs the board with 64 replicas and 300 requests a second, and whether it grows: a recording is played as
 * fast as the browser takes it. `node --expose-gc test/bench/board.ts [seconds]`; an hour is 3600.
 */
const seconds = Number(process.argv[2] ?? 600);
const FRAME_MS = 1_000 / 60;

const text = syntheticRecording({ replicas: 64, seconds, requestsPerSecond: 300 });
const browser = await openChromium();
const page = await openWithoutServer(
  browser,
  { "/wide.jsonl": text },
  { viewport: { width: 1440, height: 1000 } },
);
const session = await page.context().newCDPSession(page);
await session.send("Performance.enable");

async function metrics(): Promise<ReadonlyMap<string, number>> {
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  return new Map(metrics.map(({ name, value }) => [name, value]));
}

for (const path of ["/", "/replicas", "/requests"]) {
  await page.goto(`${NOWHERE}${path}?recording=/wide.jsonl`);
  const moment = page.getByLabel("Moment of the recording");
  await moment.waitFor();
  await page.locator("recording-bar").getByRole("button", { name: "❚❚ pause" }).click();
  const half = Math.floor(seconds / 2);
  const heaps: number[] = [];
  const step = Math.max(1, Math.floor(half / 60));
  // The first half fills the board's memory of fifteen minutes; the second is measured.
  await moment.fill(String(half));
  const before = await metrics();
  for (let at = half + step; at <= seconds; at += step) {
    await moment.fill(String(at));
    await page.evaluate("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))");
    if (heaps.length < 1 || at + step > seconds)
      heaps.push(((await metrics()).get("JSHeapUsedSize") ?? 0) / 1_048_576);
  }
  const after = await metrics();
  const ticks = Math.floor((seconds - half) / step);
  const spent = (name: string): number =>
    (((after.get(name) ?? 0) - (before.get(name) ?? 0)) * 1_000) / ticks;
  const share = (ms: number): string =>
    `${ms.toFixed(1)} ms (${(ms / FRAME_MS).toFixed(2)} of a frame)`;
  process.stdout.write(
    `${path.padEnd(10)} a tick: script ${share(spent("ScriptDuration"))}, layout ${share(spent("LayoutDuration"))}; heap ${heaps.map((heap) => heap.toFixed(1)).join(" → ")} MiB over ${seconds - half} s\n`,
  );
}
await browser.close();
