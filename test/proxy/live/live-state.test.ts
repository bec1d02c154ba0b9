import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { exponential, integer, seededRandom } from "../../../engines/random.ts";
import { VirtualClock } from "../../../engines/virtual-clock.ts";
import { EncodedFrame } from "../../../proxy/live/encoded-frame.ts";
import { EncodedSnapshot } from "../../../proxy/live/encoded-snapshot.ts";
import type { TickFrame } from "../../../proxy/live/frames.ts";
import { type LiveSource, LiveState } from "../../../proxy/live/live-state.ts";
import { Recorder, readRecording, RecordingError } from "../../../proxy/live/recording.ts";
import { createTelemetry } from "../../../proxy/telemetry/telemetry.ts";
import type { ReplicaView } from "../../../proxy/upstream/fleet.ts";
import { begin, exchangeOf, fleetOf, TOKEN } from "../../harness/exchanges.ts";

const root = mkdtempSync(join(tmpdir(), "pitot-live-"));
afterAll(() => {
  rmSync(root, { recursive: true });
});

/** A fleet whose every figure moves every second, under much traffic. */
function wideFleet(replicas: number): {
  source: LiveSource;
  clock: VirtualClock;
  second: (requests: number) => void;
} {
  const clock = new VirtualClock(1_800_000_000_000);
  const random = seededRandom(5);
  const ids = Array.from({ length: replicas }, (_, index) => `vllm-h100-${index}`);
  const still = fleetOf(["meta-llama/Llama-3.1-8B-Instruct"], ids);
  const views = (): ReplicaView[] =>
    still.views().map((view) => ({
      ...view,
      inFlight: integer(random, 60),
      stats: {
        running: integer(random, 60),
        waiting: integer(random, 9),
        kvCacheUsageRatio: random.next(),
        prefixHitRatio: random.next(),
      } as unknown as ReplicaView["stats"],
      statsAtMs: clock.nowMs(),
    }));
  const fleet = { ...still, views };
  const telemetry = createTelemetry({ clock, fleet });
  const source = {
    clock,
    telemetry,
    fleet,
    release: "0.1.0",
    bootId: "boot",
    dataUrl: () => "http://x",
    mayWrite: false,
  };
  for (let index = 0; index < 100; index++) {
    const timer = begin(clock, telemetry.feed, { replica: ids[index % replicas]! });
    timer.chunk(TOKEN);
  }
  const second = (requests: number): void => {
    for (let index = 0; index < requests; index++)
      telemetry.feed.ended(
        exchangeOf({
          id: crypto.randomUUID(),
          endedMs: clock.nowMs() + (index / requests) * 990,
          replica: ids[integer(random, replicas)]!,
          model: "meta-llama/Llama-3.1-8B-Instruct",
          ttftMs: 20 + exponential(random, 200),
          gapsMs: Array.from({ length: 20 }, () => 8 + exponential(random, 4)),
        }),
      );
    clock.advance(1_000);
  };
  return { source, clock, second };
}

describe("frames", () => {
  test("weigh at most 20 kB a second at 64 replicas and 300 requests a second", () => {
    const { source, second } = wideFleet(64);
    const state = new LiveState(source);
    source.telemetry.listen(state);
    state.wake();
    const sizes: number[] = [];
    source.telemetry.onTick((tick, judged) => {
      const frame = new EncodedFrame(state.tick(tick, judged));
      sizes.push(frame.as("deflate-raw").length);
    });
    for (let index = 0; index < 20; index++) second(300);
    const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
    expect(mean).toBeLessThanOrEqual(20_000);
  });

  test("a snapshot is the frame in words, and the loop turns while it is made", async () => {
    const { source, second } = wideFleet(16);
    for (let index = 0; index < 300; index++) second(16);
    const frame = new LiveState(source).snapshot();
    expect(frame.history.length).toBeGreaterThanOrEqual(300);
    const snapshot = new EncodedSnapshot(frame);
    let turns = 0;
    const count = (): void => {
      turns++;
      next = setImmediate(count);
    };
    let next = setImmediate(count);
    const [json, small] = await Promise.all([snapshot.as("json"), snapshot.as("deflate-raw")]);
    clearImmediate(next);
    expect(JSON.parse(json.toString())).toEqual(JSON.parse(JSON.stringify(frame)));
    expect(inflateRawSync(small)).toEqual(json);
    expect(small.length).toBeLessThan(json.length / 3);
    expect(turns).toBeGreaterThanOrEqual(9);
  });

  test("a snapshot and the ticks after it tell the same as a later snapshot", () => {
    const { source, second } = wideFleet(4);
    const state = new LiveState(source);
    source.telemetry.listen(state);
    state.wake();
    const first = state.snapshot();
    const frames: TickFrame[] = [];
    source.telemetry.onTick((tick, judged) => frames.push(state.tick(tick, judged)));
    for (let index = 0; index < 5; index++) second(7);
    const later = state.snapshot();
    const replicas = new Map(first.replicas.map((view) => [view.id, view]));
    let ended = first.ended;
    for (const frame of frames) {
      for (const patch of frame.replicas)
        replicas.set(patch.id, { ...replicas.get(patch.id)!, ...patch });
      ended = [...frame.ended, ...ended];
    }
    expect([...replicas.values()]).toEqual(later.replicas);
    expect(ended.slice(0, later.ended.length)).toEqual(later.ended);
    expect([...first.history, ...frames.map(({ tick }) => tick)]).toEqual(later.history);
    expect(later.sequence).toBe(first.sequence + 5);
  });
});

describe("a recording", () => {
  test("holds what a viewer would have seen, and plays without a server", async () => {
    const { source, second } = wideFleet(3);
    const path = join(root, "one.jsonl");
    const recorder = new Recorder(source, path);
    for (let index = 0; index < 4; index++) second(5);
    await recorder.stop();
    const frames = readRecording(readFileSync(path, "utf8"));
    expect(frames.map(({ kind }) => kind)).toEqual(["snapshot", "tick", "tick", "tick", "tick"]);
    const ticks = frames.filter((frame) => frame.kind === "tick");
    expect(ticks.reduce((sum, { tick }) => sum + (tick.real.ended.completed ?? 0), 0)).toBe(20);
    expect(ticks.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  test("cut off in its last line is read up to there", async () => {
    const { source, second } = wideFleet(1);
    const path = join(root, "cut.jsonl");
    const recorder = new Recorder(source, path);
    second(1);
    second(1);
    await recorder.stop();
    expect(readRecording(readFileSync(path, "utf8").slice(0, -40))).toHaveLength(2);
  });

  test.each([
    ["", "no recording"],
    ['{"format":"har"}', "no recording"],
    ['{"format":"pitot-recording","version":1,"frameVersion":1,"release":"0.0.9"}', "0.0.9"],
    ['{"format":"pitot-recording","version":1,"frameVersion":2}\n{"kind":"tick"}', "snapshot"],
  ])("that is none is refused in words: %j", (text, named) => {
    expect(() => readRecording(text)).toThrow(RecordingError);
    expect(() => readRecording(text)).toThrow(named);
  });

  test("that cannot be written says so at once", () => {
    const { source } = wideFleet(1);
    expect(() => new Recorder(source, join(root, "nowhere", "x"))).toThrow("ENOENT");
  });
});
