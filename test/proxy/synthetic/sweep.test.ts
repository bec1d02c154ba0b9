import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { systemClock } from "../../../engines/clock.ts";
import type { SweepRequest, SweepView } from "../../../proxy/synthetic/sweep-view.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../../harness/fleet.ts";
import { SweepClient } from "../../harness/sweep-client.ts";
import { ENDLESS, TINY } from "../../harness/tiny-preset.ts";

/** A second is what stopping may take; the rest is what a busy machine takes to notice. */
const STOPPED_WITHIN_MS = 1_000 + 500;
const SHAPE = { shapes: ["64x8"] };
const endless: SweepRequest = { replica: "vllm-0", preset: "endless", ...SHAPE };

let data: string;
let fleet: TestFleet;
let sweeps: SweepClient;

const stateOf = (id: string): string | undefined =>
  fleet.proxy.fleet.views().find((view) => view.id === id)?.state;
const back = (id = "vllm-0"): Promise<void> => until(() => stateOf(id) === "up", `${id} is back`);
const chat = (): Promise<Response> =>
  fetch(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: chatBody(),
  });

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), "pitot-sweeps-"));
  fleet = await startFleet(["vllm", "vllm", "vllm"], {
    engine: { speed: 20, jitter: 0 },
    proxy: { sweepPresets: { tiny: TINY, endless: ENDLESS }, telemetry: { dataDir: data } },
  });
  sweeps = new SweepClient(fleet.proxy.adminUrl);
});

afterAll(async () => {
  await fleet.stop();
  rmSync(data, { recursive: true, force: true });
});

describe("a sweep of a drained replica, both ways", () => {
  test("measures, says what the proxy adds with an interval, keeps a run and puts the replica back", async () => {
    const id = await sweeps.start({ replica: "vllm-0", preset: "tiny", ...SHAPE });
    expect(stateOf("vllm-0")).toBe("draining");
    await sweeps.running(id);
    const state = await (await fetch(`${fleet.proxy.adminUrl}/api/v1/state`)).json();
    expect(state).toMatchObject({ sweeps: [{ id, replica: "vllm-0", state: "running" }] });
    const view = await sweeps.over(id);
    expect(view).toMatchObject({ state: "done", error: null, path: "both", traffic: "drained" });
    // A machine that is busy with other tests may end the ladder early, which is honest of it.
    expect(view.finished.map(({ point }) => point.stage).slice(0, 2)).toEqual([
      "warm-up",
      "minimum",
    ]);
    expect(view.summary?.runId).toBe(id);
    const [warmUp, minimum] = view.finished;
    const { ttftMs } = minimum!.difference!;
    expect(ttftMs!.pairs).toBeGreaterThan(10);
    expect(ttftMs!.low).toBeLessThanOrEqual(ttftMs!.median);
    expect(ttftMs!.high).toBeGreaterThanOrEqual(ttftMs!.median);
    // What goes through the proxy travels over one more hop, of this very machine.
    expect(ttftMs!.median).toBeGreaterThan(0);
    // A machine that is busy with other tests may have been the limit itself, which says nothing of the proxy.
    const { points = [] } = view.difference ?? {};
    expect(points.includes(minimum!.point.pointId)).toBe(minimum!.point.valid);
    expect(points).not.toContain(warmUp!.point.pointId);
    expect(readdirSync(join(data, "runs", id)).sort()).toEqual([
      "embedded.json",
      "events.jsonl",
      "points.jsonl",
      "requests.jsonl",
      "run.json",
      "summary.json",
    ]);
    await back();
  });

  test("leaves one synthetic record a request and no trace in what users are counted by", () => {
    const { telemetry } = fleet.proxy;
    telemetry.settle();
    const [last] = [...telemetry.ring.newest()];
    expect(last).toMatchObject({ origin: "synthetic", replica: "vllm-0" });
    expect(last!.label).toMatch(/\/64x8\//);
    const figures = (
      population: "real" | "synthetic",
    ): ReturnType<typeof telemetry.traffic.window> =>
      telemetry.traffic.window(60_000, { population });
    expect(figures("real").started).toBe(0);
    const synthetic = figures("synthetic");
    const ended = Object.values(synthetic.ended).reduce((sum, count) => sum + count, 0);
    expect(ended).toBe(synthetic.started);
    expect(telemetry.feed.inFlightCount).toBe(0);
    expect(fleet.proxy.fleet.views().map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });

  test("is told of in the events lane, at both ends", () => {
    const kinds = fleet.proxy.telemetry.events
      .filter(({ kind }) => kind.startsWith("sweep-"))
      .map(({ kind, message }) => `${kind}: ${message}`);
    expect(kinds.slice(0, 2)).toEqual([
      "sweep-started: vllm-0: tiny, 64x8, both, drained",
      "sweep-ended: vllm-0: reached the end of its plan",
    ]);
  });
});

describe("a drained replica is back", () => {
  test("within a second of DELETE, with everything measured kept", async () => {
    const id = await sweeps.start(endless);
    await until(async () => (await sweeps.get(id)).points > 0, "a point is finished", 20_000);
    const askedMs = systemClock.nowMs();
    expect(await sweeps.delete(id)).toBe(200);
    const view = await sweeps.over(id);
    expect(view).toMatchObject({ state: "stopped", because: "stopped by an operator" });
    expect(view.endedMs! - askedMs).toBeLessThan(STOPPED_WITHIN_MS);
    expect(view.summary?.interrupted).toBe(true);
    expect(view.finished.length).toBeGreaterThan(0);
    await back();
    expect(await sweeps.delete(id)).toBe(200);
    // Who has its points need not be sent them again.
    const rest = (after: string): Promise<Response> =>
      fetch(`${fleet.proxy.adminUrl}/api/v1/sweeps/${id}?after=${after}`);
    const asked = (await (await rest(String(view.points))).json()) as SweepView;
    expect(asked).toMatchObject({ points: view.points, finished: [] });
    const bad = await rest("some");
    expect([bad.status, await bad.text()]).toEqual([
      400,
      expect.stringContaining('not \\"some\\"'),
    ]);
  });

  test("when whoever started it stops asking", async () => {
    const id = await sweeps.start({ ...endless, leaseSeconds: 2 });
    const desk = fleet.proxy.sweeps;
    await until(() => desk.running().length === 0, "the lease runs out", 20_000);
    expect((await sweeps.get(id)).because).toContain("nobody has asked about it for 2 s");
    await back();
  });

  test("when its time or its tokens are spent", async () => {
    const tokens = await sweeps.over(await sweeps.start({ ...endless, limits: { tokens: 500 } }));
    expect(tokens.because).toContain("500 tokens, its limit, are spent");
    await back();
    const time = await sweeps.over(await sweeps.start({ ...endless, limits: { minutes: 0.05 } }));
    expect(time.because).toContain("0.05 minutes are over");
    await back();
  });

  test("and stays out when an operator took it out before", async () => {
    fleet.proxy.fleet.drain("vllm-0");
    const id = await sweeps.start(endless);
    await sweeps.running(id);
    await sweeps.delete(id);
    await sweeps.over(id);
    expect(stateOf("vllm-0")).toBe("draining");
    fleet.proxy.fleet.undrain("vllm-0");
    await back();
  });

  test("and the sweep ends when an operator puts it back himself", async () => {
    const id = await sweeps.start(endless);
    await sweeps.running(id);
    fleet.proxy.fleet.undrain("vllm-0");
    expect((await sweeps.over(id)).because).toMatch(/^stopped: the replica is (starting|up)/);
    await back();
  });

  test("or down, but not drained, when its engine dies under the sweep", async () => {
    const id = await sweeps.start({ ...endless, replica: "vllm-2", path: "direct" });
    await sweeps.running(id);
    await fleet.engines[2]!.close();
    const view = await sweeps.over(id);
    expect(view.because).toMatch(/does not answer|every request .* failed/);
    expect(view.state).not.toBe("done");
    await until(() => stateOf("vllm-2") === "down", "vllm-2 counts as down");
    fleet.proxy.fleet.remove("vllm-2");
  });
});

describe("a sweep is refused", () => {
  const message = (body: unknown): string => (body as { error: { message: string } }).error.message;

  test("when another one runs, with how to stop that", async () => {
    const id = await sweeps.start(endless);
    const second = await sweeps.post({ ...endless, replica: "vllm-1" });
    expect(second.status).toBe(409);
    expect(message(second.body)).toContain(`DELETE /api/v1/sweeps/${id}`);
    await sweeps.delete(id);
    await sweeps.over(id);
    await back();
  });

  test.each([
    [{ replica: "nobody" }, 404, "known are vllm-0, vllm-1"],
    [{ ...endless, preset: "gigantic" }, 400, 'preset "gigantic" is none of smoke, quick'],
    [{ ...endless, model: "gpt-9" }, 400, 'model "gpt-9" is not served by vllm-0'],
    [{ ...endless, shapes: ["tall"] }, 400, 'shapes: "tall" is no list of shapes'],
    [{ ...endless, shapes: ["9000000x1"] }, 400, "longer than the"],
    [{ ...endless, shapes: ["my-traffic"] }, 400, "too few for a workload"],
    [{ ...endless, objectives: ["fast"] }, 400, 'objectives: "fast" is not an objective'],
    [{ ...endless, url: "http://169.254.169.254" }, 400, "url is no field of a sweep"],
  ])("%j", async (body, status, sentence) => {
    const answer = await sweeps.post(body);
    expect(message(answer.body)).toContain(sentence);
    expect(answer.status).toBe(status);
  });

  test("beside users without a word that it is meant", async () => {
    await Promise.all(Array.from({ length: 6 }, async () => (await chat()).text()));
    const beside = { ...endless, traffic: "beside" } as const;
    const answer = await sweeps.post(beside);
    expect([answer.status, answer.body.error]).toMatchObject([
      409,
      { code: "confirmation_required" },
    ]);
    const id = await sweeps.start({ ...beside, confirm: true });
    await sweeps.running(id);
    expect(stateOf("vllm-0")).toBe("up");
    await sweeps.delete(id);
    await sweeps.over(id);
  });

  test("on the last replica that serves users, unless forced", async () => {
    fleet.proxy.fleet.drain("vllm-1");
    const refused = await sweeps.post(endless);
    expect(refused.status).toBe(409);
    expect(message(refused.body)).toContain("last healthy replica");
    const id = await sweeps.start({ ...endless, force: true });
    await sweeps.delete(id);
    await sweeps.over(id);
    fleet.proxy.fleet.undrain("vllm-1");
    await back("vllm-1");
    await back();
  });
});

test("the sweep of a replica that users need after all ends, and it is back for them", async () => {
  const own = await startFleet(["vllm"], {
    engine: { speed: 20, jitter: 0 },
    proxy: { sweepPresets: { endless: ENDLESS } },
  });
  try {
    const client = new SweepClient(own.proxy.adminUrl);
    const id = await client.start(endless);
    await client.running(id);
    const ask = async (): Promise<number> => {
      const answer = await fetch(`${own.proxy.dataUrl}/v1/chat/completions`, {
        method: "POST",
        headers: JSON_HEADERS,
        body: chatBody(),
      });
      await answer.text();
      return answer.status;
    };
    expect(await ask()).toBe(503);
    const view = await client.over(id);
    expect(view.because).toBe("stopped by guard: users came and no other replica serves them");
    await until(async () => (await ask()) === 200, "users are served");
  } finally {
    await own.stop();
  }
});

test("a proxy that goes down ends its sweep first and leaves no thread behind", async () => {
  const own = await startFleet(["vllm", "vllm"], {
    engine: { speed: 20, jitter: 0 },
    proxy: { sweepPresets: { endless: ENDLESS }, threads: 2 },
  });
  const client = new SweepClient(own.proxy.adminUrl);
  const id = await client.start({ ...endless, path: "routed" });
  await client.running(id);
  await until(() => own.proxy.telemetry.ring.total > 0, "records come in from the threads");
  const origins = new Set([...own.proxy.telemetry.ring.newest()].map(({ origin }) => origin));
  expect([...origins]).toEqual(["synthetic"]);
  await own.stop();
  expect(own.proxy.sweeps.running()).toEqual([]);
  expect(own.proxy.sweeps.find(id)?.because).toBe("stopped: the proxy is going down");
});
