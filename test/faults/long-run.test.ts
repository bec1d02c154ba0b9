import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { integer, seededRandom } from "../../engines/random.ts";
import { parseFault } from "../../engines/sim/faults.ts";
import type { Exchange, Outcome } from "../../engines/exchange.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import { createTelemetry, type Telemetry } from "../../proxy/telemetry/telemetry.ts";
import { exchangeOf, fleetOf } from "../harness/exchanges.ts";
import { startFleet, type TestFleet, until } from "../harness/fleet.ts";
import { heldBytes } from "../harness/memory.ts";
import { fullHistory } from "./full-history.ts";
import { alive } from "./live-objects.ts";
import { ENGINE_FAULTS, mixedTraffic } from "./mixed-traffic.ts";
import { look } from "./passing-viewers.ts";

const MIB = 1_048_576;
/** What `npm run soak` holds a whole proxy to. */
const GROWTH_MAX_MIB_PER_MINUTE = 0.1;
/** Some 150 kB hang on a viewer that is not let go: its socket and the frames it was sent. */
const LEFT_PER_VIEWER_BYTES_MAX = 4_096;

describe("with engines that fail and clients that leave", () => {
  let fleet: TestFleet;
  beforeAll(async () => {
    fleet = await startFleet(["vllm", "sglang"], {
      engine: { speed: 100, faults: ENGINE_FAULTS.map(parseFault) },
    });
  });
  afterAll(async () => {
    await fleet.stop();
  });

  test("K07 no request and no attempt outlives its end, and one that does is seen", async () => {
    const pace = { hangUpWithinMs: 50, slowReadMs: 5 };
    const held: ExchangeTimer[] = [];
    const done = mixedTraffic(fleet.proxy.dataUrl, { streams: 30, requests: 60, ...pace });
    await until(() => fleet.proxy.feed.inFlightCount > 0, "some are under way");
    held.push(...(fleet.proxy.feed.inFlight() as Iterable<ExchangeTimer>));
    await done;
    await until(() => fleet.proxy.feed.inFlightCount === 0, "nothing in flight");
    fleet.proxy.telemetry.settle();
    expect(held.length).toBeGreaterThan(0);
    await until(() => alive("ExchangeTimer") === held.length, "all but the held are gone", 30_000);
    expect(alive("Attempt")).toBe(0);
    held.length = 0;
    await until(() => alive("ExchangeTimer") === 0, "and they, once they are let go", 30_000);
  }, 90_000);

  test("K09 viewers that come and go leave nothing behind", async () => {
    const pass = async (viewers: number): Promise<number> => {
      for (let index = 0; index < viewers; index++) await look(fleet.proxy.adminUrl);
      return heldBytes();
    };
    await pass(20);
    const before = await pass(20);
    expect((await pass(100)) - before).toBeLessThan(100 * LEFT_PER_VIEWER_BYTES_MAX);
  });
});

describe("half an hour of mixed traffic on a clock of its own", () => {
  const PER_SECOND = 10;
  const random = seededRandom(1);
  const clock = new VirtualClock(1_800_000_000_000);
  const fleet = fleetOf(["m"], ["r0", "r1"]);
  const meter = (): Telemetry =>
    createTelemetry({ clock, fleet, options: { retention: { historyBytesMax: 8 * MIB } } });

  function pass(telemetry: Telemetry, seconds: number): void {
    for (let second = 0; second < seconds; second++) {
      for (let index = 0; index < PER_SECOND; index++) telemetry.feed.ended(mixed());
      clock.advance(1_000);
    }
  }

  function mixed(): Exchange {
    const draw = random.next();
    const outcome: Outcome =
      draw < 0.75
        ? { kind: "completed", finishReason: "stop" }
        : draw < 0.9
          ? { kind: "cancelled", phase: "decode" }
          : { kind: "cut", code: "upstream_cut" };
    const gapsMs = Array.from({ length: 20 }, () => 5 + integer(random, 50));
    const replica = `r${integer(random, 2)}`;
    return exchangeOf({ endedMs: clock.nowMs(), outcome, gapsMs, replica, ttftMs: 50 / draw });
  }

  test("K01 what is measured and kept of it stays as large as it was after five minutes", () => {
    const learner = meter();
    pass(learner, 60);
    const telemetry = meter();
    telemetry.traffic.restore(fullHistory(learner.traffic.ladder.seconds(), clock.nowMs()));
    pass(telemetry, 300);
    const before = heldBytes();
    pass(telemetry, 1_500);
    const grown = heldBytes() - before;
    expect(grown / MIB / 25).toBeLessThan(GROWTH_MAX_MIB_PER_MINUTE);
    const kept: Exchange[] = [];
    telemetry.listen({ ended: (exchange) => void kept.push(exchange) });
    pass(telemetry, 300);
    // And one that kept every record would be noticed.
    expect((heldBytes() - before - grown) / MIB / 5).toBeGreaterThan(GROWTH_MAX_MIB_PER_MINUTE);
    expect(kept).toHaveLength(300 * PER_SECOND);
  }, 60_000);
});
