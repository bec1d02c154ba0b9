import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { engines } from "../../engines/index.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { replayTrace } from "../../load/replay.ts";
import { ascending, percentile } from "../../load/statistics/percentile.ts";
import { readTrace, type TraceRow, traces } from "../../load/trace.ts";
import { cutTrace } from "../../load/trace-window.ts";
import {
  chatBody,
  JSON_HEADERS,
  MODEL,
  startFleet,
  type TestFleet,
  until,
} from "../harness/fleet.ts";

const CLI = join(import.meta.dirname, "../../proxy/cli.ts");
/** What a client types; must never be found in a recording. */
const CANARY = "purple-giraffe-canary";
/** For what takes half a second on a machine with a core to spare. */
const PATIENCE_MS = 30_000;
/** How far from its moment a request may arrive, at the median. */
const STRAY_MS = 5;
/** A send that is late arrives late, and did so when it was recorded; how late this machine is with them is measured. */
const LAG_TIMES = 3;

let fleet: TestFleet;
let target: HttpTarget;
let folder: string;

beforeAll(async () => {
  fleet = await startFleet(["vllm", "sglang", "tensorrt-llm"], { engine: { speed: 20 } });
  target = new HttpTarget({
    url: fleet.proxy.dataUrl,
    model: MODEL,
    engine: engines.openai,
    forceWith: engines.vllm,
    clock: systemClock,
    exactLength: true,
  });
  folder = mkdtempSync(join(tmpdir(), "pitot-record-"));
});
afterAll(async () => {
  await target.close();
  await fleet.stop();
  rmSync(folder, { recursive: true });
});

interface Recording {
  readonly file: string;
  /** Ends it as Ctrl-C would, once so many requests are in the file; resolves with what it said on stderr. */
  stop(requests: number): Promise<string>;
}

/** `pitot record` as a user runs it. */
async function record(name: string): Promise<Recording> {
  const file = join(folder, name);
  const child = spawn(
    process.execPath,
    [CLI, "record", "--admin", fleet.proxy.adminUrl, "--out", file],
    {
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  await until(() => said.includes("recording shapes"), "the recording has begun", PATIENCE_MS);
  // The first line says what the file is.
  const rows = (): number => readFileSync(file, "utf8").trimEnd().split("\n").length - 1;
  return {
    file,
    async stop(requests) {
      await until(() => rows() >= requests, `${requests} requests are in the file`, PATIENCE_MS);
      child.kill("SIGINT");
      const [code] = (await once(child, "close")) as [number];
      expect(code).toBe(130);
      return said;
    },
  };
}

async function drive(
  trace: readonly TraceRow[],
  speed: number,
): Promise<readonly { exchange: Exchange; lagMs: number }[]> {
  const seen: { exchange: Exchange; lagMs: number }[] = [];
  await replayTrace({
    trace,
    target,
    speed,
    loop: false,
    seed: 5,
    clock: systemClock,
    signal: new AbortController().signal,
    onExchange: (exchange, lagMs) => seen.push({ exchange, lagMs }),
  });
  return seen;
}

const median = (values: readonly number[]): number =>
  percentile(ascending(values), 0.5) ?? Infinity;

const lagOf = (sent: readonly { readonly lagMs: number }[]): number =>
  median(sent.map(({ lagMs }) => lagMs));

const shapes = (
  rows: readonly { inputTokens: number; outputTokens: number }[],
): readonly string[] =>
  rows.map(({ inputTokens, outputTokens }) => `${inputTokens}/${outputTokens}`).sort();

test("recorded traffic replays with the same joint shapes at the same moments", async () => {
  const window = { fromMs: 60_000, lengthMs: 40_000, rowsMax: 400 };
  const original = cutTrace(await readTrace(traces["azure-conversation"]), window)
    // A chat template alone is longer than the very shortest prompts of the trace.
    .filter(({ inputTokens }) => inputTokens > 8);
  const recording = await record("azure.jsonl");
  const driven = await drive(original, 15);
  expect(await recording.stop(driven.length)).toContain(`recorded ${driven.length} requests`);
  const recorded = await readTrace(recording.file);
  expect(shapes(recorded)).toEqual(shapes(original));

  // A busy machine may delay one round; three in a row would be the schedule.
  let strayMs = Infinity;
  for (let round = 0; round < 3 && strayMs >= STRAY_MS; round++) {
    const again = await record(`again-${round}.jsonl`);
    const seen = await drive(recorded, 1);
    await again.stop(seen.length);
    const replayed = await readTrace(again.file);
    expect(shapes(replayed)).toEqual(shapes(recorded));
    // Arrivals now against arrivals then, counted from the middle one: the first may have waited for its connection.
    const shiftsMs = replayed.map((row, at) => row.atMs - recorded[at]!.atMs);
    const apartMs = shiftsMs.map((shiftMs) => Math.abs(shiftMs - median(shiftsMs)));
    strayMs = median(apartMs) - LAG_TIMES * (lagOf(driven) + lagOf(seen));
  }
  expect(strayMs).toBeLessThan(STRAY_MS);
}, 120_000);

test("a recording holds conversations by digest, and no word of them", async () => {
  const recording = await record("private.jsonl");
  for (const session of ["alice-7", "alice-7", "bob-1"]) {
    await fetch(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
      method: "POST",
      headers: { ...JSON_HEADERS, "x-pitot-session": session, authorization: `Bearer ${CANARY}` },
      body: chatBody({ prompt: CANARY, tokens: 3 }),
    }).then((answer) => answer.text());
  }
  await recording.stop(3);
  const text = readFileSync(recording.file, "utf8");
  for (const secret of [CANARY, "alice", "bob"]) expect(text).not.toContain(secret);
  const rows = await readTrace(recording.file);
  const [first, second, third] = rows.map(({ session }) => session);
  expect(first).toMatch(/^[0-9a-f]{12}$/);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
  expect(rows.map(({ thinkMs }) => thinkMs === null)).toEqual([true, false, true]);
});

test("a proxy that is not there is said in one sentence, with exit status 3", async () => {
  const child = spawn(process.execPath, [CLI, "record", "--admin", "http://127.0.0.1:1"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const [code] = (await once(child, "close")) as [number];
  expect(code).toBe(3);
  expect(said.trim().split("\n")).toHaveLength(1);
  expect(said).toContain("give the admin address of a running one with --admin");
});
