import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../../engines/clock.ts";
import { integer, seededRandom } from "../../../../engines/random.ts";
import { VirtualClock } from "../../../../engines/virtual-clock.ts";
import type { SloOptions, TelemetryOptions } from "../../../../proxy/telemetry/options.ts";
import { openHistory } from "../../../../proxy/telemetry/store/history.ts";
import { StoreError } from "../../../../proxy/telemetry/store/store.ts";
import { createTelemetry, type Telemetry } from "../../../../proxy/telemetry/telemetry.ts";
import { exchangeOf, fleetOf } from "../../../harness/exchanges.ts";
import { until } from "../../../harness/fleet.ts";

const DAY = 24 * 3_600_000;
const SLO: SloOptions = { name: "up", objective: 0.9, windowMs: DAY };
const root = mkdtempSync(join(tmpdir(), "pitot-store-"));
let directories = 0;
const fresh = (): string => join(root, String(directories++));
afterAll(() => {
  rmSync(root, { recursive: true });
});

async function start(
  dataDir: string,
  clock: VirtualClock,
  options: TelemetryOptions = {},
): Promise<Telemetry> {
  const all = { slos: [SLO], ...options, dataDir };
  const history = await openHistory(all, clock);
  return createTelemetry({ clock, fleet: fleetOf(["m"]), options: all, history });
}

/** Ten requests a second for a while, one in five failing. */
function traffic(meter: Telemetry, clock: VirtualClock, seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    for (let index = 0; index < 10; index++) {
      clock.advance(99);
      meter.feed.ended(
        exchangeOf({
          endedMs: clock.nowMs(),
          id: `s${clock.nowMs()}`,
          ...(index % 5 === 0 ? { outcome: { kind: "failed", code: "x" } as const } : {}),
        }),
      );
    }
    clock.advance(10);
  }
}

async function filled(): Promise<{ directory: string; clock: VirtualClock }> {
  const directory = fresh();
  const clock = new VirtualClock(1_000 * DAY);
  const meter = await start(directory, clock);
  traffic(meter, clock, 75);
  await meter.stop();
  return { directory, clock };
}

describe("after a restart", () => {
  test("windows, budgets, requests, events and totals are what they were", async () => {
    const directory = fresh();
    const clock = new VirtualClock(1_000 * DAY);
    const before = await start(directory, clock);
    traffic(before, clock, 75);
    before.feed.event({ atMs: clock.nowMs(), kind: "deploy", subject: "v2", message: "" });
    const figures = (meter: Telemetry): object => {
      const cell = meter.traffic.cell(DAY, { population: "real", replica: "r0" });
      const slo = meter.slos.slos[0]!.view(clock.nowMs());
      return {
        total: meter.ring.total,
        newest: [...meter.ring.newest()][0],
        p95: cell.sketch("ttft").quantile(0.95),
        itl: cell.sketch("itl").count,
        completed: cell.get("completed"),
        good: slo.good,
        valid: slo.valid,
        left: slo.budgetRemaining,
        events: meter.events.map(({ kind, subject }) => [kind, subject]),
      };
    };
    const kept = figures(before);
    expect(kept).toMatchObject({ total: 750, completed: 600, good: 600, valid: 750 });
    await before.stop();
    clock.advance(90_000);
    const after = await start(directory, clock);
    expect(figures(after)).toEqual(kept);
    await after.stop();
  });

  test("a data directory of none keeps nothing and opens nothing", async () => {
    expect(await openHistory({ dataDir: null }, systemClock)).toBeNull();
    expect(await openHistory({}, systemClock)).toBeNull();
  });

  test("a second process is refused the same directory, in words", async () => {
    const { directory, clock } = await filled();
    const first = await start(directory, clock);
    await expect(start(directory, clock)).rejects.toThrow(StoreError);
    await expect(start(directory, clock)).rejects.toThrow("in use by another Pitot");
    await first.stop();
  });

  test("a directory that cannot be made is refused with the system's reason", async () => {
    const file = fresh();
    writeFileSync(file, "");
    await expect(start(join(file, "below"), new VirtualClock())).rejects.toThrow("ENOTDIR");
  });
});

describe("a damaged file", () => {
  test.each(Array.from({ length: 8 }, (_, seed) => [seed]))(
    "with flipped bytes is survived with a warning, and counting goes on (seed %i)",
    async (seed) => {
      const { directory, clock } = await filled();
      const path = join(directory, "pitot.sqlite");
      const random = seededRandom(seed);
      const bytes = readFileSync(path);
      const flips = seed < 2 ? bytes.length / 50 : 60;
      for (let flip = 0; flip < flips; flip++) {
        const at = integer(random, bytes.length);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << integer(random, 8));
      }
      writeFileSync(path, bytes);
      const meter = await start(directory, clock);
      const warned = meter.events.filter(({ kind }) => kind === "history");
      const whole = meter.ring.total === 750 && [...meter.ring.newest()].length === 750;
      expect(warned.length > 0 || whole).toBe(true);
      expect(warned.length).toBeGreaterThanOrEqual(seed < 2 ? 1 : 0);
      traffic(meter, clock, 3);
      await meter.stop();
      const again = await start(directory, clock);
      expect(again.traffic.cell(3_000, { population: "real" }).get("completed")).toBeGreaterThan(0);
      await again.stop();
    },
  );

  test("that is no database is put aside, not deleted", async () => {
    const { directory, clock } = await filled();
    writeFileSync(join(directory, "pitot.sqlite"), "to whom it may concern".repeat(1_000));
    const meter = await start(directory, clock);
    expect(meter.events.at(-1)!.message).toMatch(/was damaged .* moved to .*damaged-/);
    expect(readdirSync(directory).some((name) => name.includes(".damaged-"))).toBe(true);
    expect(existsSync(join(directory, "pitot.sqlite"))).toBe(true);
    await meter.stop();
  });
});

describe("a full disk", () => {
  test("L12: costs history and says so once; counting goes on", async () => {
    const clock = new VirtualClock(1_000 * DAY);
    // Twelve pages hold the tables and no second of rows.
    const meter = await start(fresh(), clock, { retention: { databaseBytesMax: 12 * 4_096 } });
    traffic(meter, clock, 4);
    const told = (): number => meter.events.filter(({ kind }) => kind === "history").length;
    await until(() => told() > 0, "the trouble is told");
    expect(meter.events.find(({ kind }) => kind === "history")!.message).toContain(
      "history is not being kept",
    );
    traffic(meter, clock, 30);
    expect(meter.traffic.cell(60_000, { population: "real" }).get("completed")).toBe(272);
    expect(told()).toBe(1);
    await meter.stop();
  });

  test("K06: a file at its limit gives up its oldest rows and keeps the newest", async () => {
    const directory = fresh();
    const clock = new VirtualClock(1_000 * DAY);
    const limited = { retention: { databaseBytesMax: 200 * 4_096 } };
    for (let round = 0; round < 6; round++) {
      const meter = await start(directory, clock, limited);
      traffic(meter, clock, 20);
      await meter.stop();
    }
    expect(readFileSync(join(directory, "pitot.sqlite")).length).toBeLessThanOrEqual(200 * 4_096);
    const again = await start(directory, clock, limited);
    const newest = [...again.ring.newest()][0]!;
    expect(clock.nowMs() - newest.times.endedMs).toBeLessThan(5_000);
    await again.stop();
  });
});
