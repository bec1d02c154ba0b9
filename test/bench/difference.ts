import { mkdtempSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../engines/clock.ts";
import { type Random, seededRandom } from "../../engines/random.ts";
import { differenceOf } from "../../proxy/synthetic/path-difference.ts";
import type { Difference, SweepView } from "../../proxy/synthetic/sweep-view.ts";
import { startEngineProcess } from "../harness/engine-process.ts";
import { MODEL } from "../harness/fleet.ts";
import { startProxyProcess } from "../harness/proxy-process.ts";
import { nothingSeen, RawClient } from "./proxy/client.ts";

/** What is sent, and how the engine answers it: quick enough for hundreds of pairs a level, in under a minute. */
const SHAPE = { inputTokens: 256, outputTokens: 16 };
const ENGINE = ["--timing", "scripted", "--ttft-ms", "15", "--itl-ms", "3"];
/** Levels of the preset `smoke` at which two cores carry engine, proxy and both clients. */
const LEVELS = [1, 4, 16] as const;
const HOLD_MS = 4_000;
const WARM_MS = 1_500;
const PRESET = "smoke";
const VOCABULARY = 30_000;

type Way = "direct" | "routed";

/** What one way of measuring says of one level. */
interface Added {
  readonly ttftMs: Difference | null;
  readonly tpotMs: Difference | null;
}

/**
 * `npm run bench -- difference`: what the proxy adds, as an embedded sweep tells it and as the proxy bench's own client does, at
 * the same levels on the same engine through the same proxy, in one run. The client holds each level before the sweep and after
 * it, so that a machine that changed meanwhile shows.
 */
export async function differenceBench(): Promise<void> {
  const engine = await startEngineProcess({ more: ENGINE });
  const data = mkdtempSync(join(tmpdir(), "pitot-difference-"));
  const proxy = await startProxyProcess([`engine=${engine.url}`], data);
  const ports = { direct: portOf(engine.url), routed: portOf(proxy.dataUrl) };
  const random = seededRandom(1);
  await hold(4, { ports, random, holdMs: WARM_MS });
  const before = await holdAll(ports, random);
  const view = await sweep(proxy.adminUrl);
  const after = await holdAll(ports, random);
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "?"}, node ${process.version}; ${SHAPE.inputTokens}x${SHAPE.outputTokens}, scripted engine of 15 ms and 3 ms. Routed minus direct within pairs: median [95 % interval].`,
  );
  row(["at once", "embedded sweep, TTFT", "client before", "client after", "overlap"]);
  row(["---:", "---", "---", "---", "---"]);
  for (const level of LEVELS) print(level, "ttftMs", { view, before, after });
  console.log("");
  row(["at once", "embedded sweep, TPOT", "client before", "client after", "overlap"]);
  row(["---:", "---", "---", "---", "---"]);
  for (const level of LEVELS) print(level, "tpotMs", { view, before, after });
  const { difference, summary } = view;
  console.log(`\nThe sweep's own whole: TTFT ${said(difference?.ttftMs ?? null)}, of`);
  console.log(`${difference?.points.join(", ") ?? "—"}; dearer: ${dearer(view)}`);
  if (summary?.invalidBecause !== null) console.log(`sweep: ${summary?.invalidBecause}`);
  await proxy.kill();
  await engine.kill();
}

interface Told {
  readonly view: SweepView;
  readonly before: ReadonlyMap<number, Added>;
  readonly after: ReadonlyMap<number, Added>;
}

function print(level: number, metric: keyof Added, { view, before, after }: Told): void {
  const swept = view.finished.find(
    ({ point }) => point.stage !== "warm-up" && point.concurrency === level,
  );
  const embedded = swept?.difference?.[metric] ?? null;
  const clients = [before, after].map((one) => one.get(level)?.[metric] ?? null);
  const overlap = clients.map((client) => overlaps(embedded, client)).join(", ");
  row([String(level), said(embedded), ...clients.map(said), overlap]);
}

function dearer({ difference, finished }: SweepView): string {
  const names = difference?.dearer ?? [];
  const told = names.map((id) => {
    const one = finished.find(({ point }) => point.pointId === id);
    return `${id} ${said(one?.difference?.ttftMs ?? null)}`;
  });
  return told.length === 0 ? "none" : told.join("; ");
}

async function holdAll(
  ports: Record<Way, number>,
  random: Random,
): Promise<ReadonlyMap<number, Added>> {
  const told = new Map<number, Added>();
  for (const level of LEVELS)
    told.set(level, await hold(level, { ports, random, holdMs: HOLD_MS }));
  return told;
}

/** So many users, each sending pairs: one request straight, one through the proxy, in an order left to chance. */
async function hold(
  users: number,
  { ports, random, holdMs }: { ports: Record<Way, number>; random: Random; holdMs: number },
): Promise<Added> {
  const clients = { direct: new RawClient(ports.direct), routed: new RawClient(ports.routed) };
  const ttft: Record<Way, number>[] = [];
  const tpot: Record<Way, number>[] = [];
  const untilMs = systemClock.nowMs() + holdMs;
  const use = async (index: number): Promise<void> => {
    // Users in step would meet each other's requests on one way only.
    await systemClock.after(index * 3);
    while (systemClock.nowMs() < untilMs) {
      const ways: Way[] = random.next() < 0.5 ? ["direct", "routed"] : ["routed", "direct"];
      const seen = { direct: nothingSeen(), routed: nothingSeen() };
      for (const way of ways) await clients[way].post(requestBytes(random), seen[way]);
      const { direct, routed } = seen;
      const [a, b] = [direct.firstEventMs[0], routed.firstEventMs[0]];
      if (a !== undefined && b !== undefined) ttft.push({ direct: a, routed: b });
      const [c, d] = [direct.restMs[0], routed.restMs[0]];
      const steps = SHAPE.outputTokens - 1;
      if (c !== undefined && d !== undefined) tpot.push({ direct: c / steps, routed: d / steps });
    }
  };
  await Promise.all(Array.from({ length: users }, (_, index) => use(index)));
  clients.direct.close();
  clients.routed.close();
  return { ttftMs: differenceOf(ttft), tpotMs: differenceOf(tpot) };
}

/** The body a sweep sends to vLLM: a prompt of token ids nobody sent before, an answer of exact length. */
function requestBytes(random: Random): Buffer {
  const { inputTokens, outputTokens } = SHAPE;
  const body = JSON.stringify({
    model: MODEL,
    prompt: Array.from({ length: inputTokens }, () => Math.floor(random.next() * VOCABULARY)),
    stream: true,
    stream_options: { include_usage: true },
    max_tokens: outputTokens,
    min_tokens: outputTokens,
    ignore_eos: true,
  });
  return Buffer.from(
    `POST /v1/completions HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}

async function sweep(adminUrl: string): Promise<SweepView> {
  const url = `${adminUrl}/api/v1/sweeps`;
  const shapes = [`${SHAPE.inputTokens}x${SHAPE.outputTokens}`];
  const body = JSON.stringify({ replica: "engine", preset: PRESET, shapes, force: true });
  const answer = await fetch(url, { method: "POST", body });
  if (answer.status !== 201) throw new Error(await answer.text());
  let view = (await answer.json()) as SweepView;
  while (view.endedMs === null) {
    await systemClock.after(2_000);
    view = (await (await fetch(`${url}/${view.id}`)).json()) as SweepView;
  }
  return view;
}

function overlaps(a: Difference | null, b: Difference | null): string {
  if (a === null || b === null) return "—";
  return a.low <= (b.high ?? Infinity) && b.low <= (a.high ?? Infinity) ? "yes" : "no";
}

function said(difference: Difference | null): string {
  if (difference === null) return "—";
  const { median, low, high, pairs } = difference;
  const sign = median < 0 ? "−" : "+";
  return `${sign}${Math.abs(median).toFixed(2)} ms [${low.toFixed(2)}, ${high?.toFixed(2) ?? "∞"}], ${pairs} pairs`;
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

function row(cells: readonly string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}
