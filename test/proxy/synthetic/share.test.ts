import { afterAll, beforeAll, expect, test } from "vitest";
import { systemClock } from "../../../engines/clock.ts";
import type { SweepRequest } from "../../../proxy/synthetic/sweep-view.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../../harness/fleet.ts";
import { SweepClient } from "../../harness/sweep-client.ts";
import { TINY } from "../../harness/tiny-preset.ts";

/** Of 256 sequences at once, which is what an engine that does not say is taken to run. */
const SYNTHETIC_MAX = 4;
const SHARE = SYNTHETIC_MAX / 256;
/** Presses as hard as it is allowed to, until somebody stops it. */
const FLOOD = {
  ...TINY,
  name: "flood",
  ladder: {
    ...TINY.ladder,
    concurrencyMax: 1,
    flood: SYNTHETIC_MAX,
    windowMsMin: 600_000,
    windowMsMax: 600_000,
  },
};
const beside: SweepRequest = {
  replica: "vllm-0",
  preset: "flood",
  shapes: ["64x64"],
  traffic: "beside",
  path: "direct",
  limits: { share: SHARE },
  // The guards of latency and burn have their own test; here they must not come first.
  guards: { ttftP95Ms: 60_000, burnRate: 1_000 },
  confirm: true,
  force: true,
};

let fleet: TestFleet;
let sweeps: SweepClient;

beforeAll(async () => {
  fleet = await startFleet(["vllm"], {
    engine: { jitter: 0 },
    proxy: { sweepPresets: { flood: FLOOD }, retries: { attemptsMax: 1 } },
  });
  sweeps = new SweepClient(fleet.proxy.adminUrl);
});

afterAll(() => fleet.stop());

const ask = (): Promise<Response> =>
  fetch(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: chatBody({ tokens: 4 }),
  });

/** Requests under way as the engine itself counts them. */
async function atEngine(): Promise<number> {
  const page = await (await fetch(`${fleet.engines[0]!.url}/metrics`)).text();
  const count = (name: string): number =>
    Number(new RegExp(`^vllm:${name}\\{[^}]*\\} (\\S+)$`, "m").exec(page)?.[1]);
  return count("num_requests_running") + count("num_requests_waiting");
}

/** Begins a sweep that is pressing as hard as it may. */
async function pressing(): Promise<string> {
  const id = await sweeps.start(beside);
  await until(
    async () => (await atEngine()) === SYNTHETIC_MAX,
    "it takes all of its share",
    20_000,
  );
  return id;
}

test("R18 a sweep stopped by its user leaves no request at the engine", async () => {
  const id = await pressing();
  const askedMs = systemClock.nowMs();
  expect(await sweeps.delete(id)).toBe(200);
  await until(async () => (await atEngine()) === 0, "every stream is closed", 2_000);
  expect(systemClock.nowMs() - askedMs).toBeLessThan(2_000);
  expect((await sweeps.over(id)).state).toBe("stopped");
}, 60_000);

test("R17 beside users a sweep takes its share and never more, and ends when their requests fail", async () => {
  const id = await pressing();
  for (let look = 0; look < 40; look++) {
    expect(await atEngine()).toBeLessThanOrEqual(SYNTHETIC_MAX);
    await systemClock.after(10);
  }
  fleet.engines[0]!.setFaults([{ kind: "status", status: 500 }]);
  const asking = (async () => {
    while ((await sweeps.get(id)).endedMs === null) await (await ask()).text();
  })();
  const view = await sweeps.over(id);
  await asking;
  // Whichever is seen first: users' failures, the breaker they opened, or its own, which end the level and with it the plan.
  const why = view.state === "done" ? view.finished.at(-1)!.point.stopReason : view.because;
  expect(why).toMatch(/^(errors$|stopped by guard: (real|users') requests fail)/);
  expect(await atEngine()).toBe(0);
}, 60_000);
