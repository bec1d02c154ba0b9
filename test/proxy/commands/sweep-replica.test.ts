import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LEASE_SECONDS } from "../../../proxy/commands/embedded-flags.ts";
import { startFleet, type TestFleet, until } from "../../harness/fleet.ts";
import { pitot } from "../../harness/pitot.ts";
import { ENDLESS, TINY } from "../../harness/tiny-preset.ts";

const PROGRAM = join(import.meta.dirname, "..", "..", "..", "bin", "pitot.mjs");

let fleet: TestFleet;

beforeAll(async () => {
  fleet = await startFleet(["vllm", "vllm"], {
    engine: { speed: 20, jitter: 0 },
    // Under names the command line offers.
    proxy: { sweepPresets: { smoke: TINY, quick: ENDLESS } },
  });
});
afterAll(async () => {
  await fleet.stop();
});

const sweep = (...flags: string[]): readonly string[] => [
  "sweep",
  "--replica",
  "vllm-0",
  "--admin",
  fleet.proxy.adminUrl,
  ...flags,
];
const isBack = (): boolean =>
  fleet.proxy.fleet.views().some(({ id, state }) => id === "vllm-0" && state === "up");

test("pitot sweep --replica has the proxy sweep it, and prints the table, the difference and the headline", async () => {
  const ran = await pitot(sweep("--preset", "smoke", "--shape", "64x8"));
  expect(ran.stdout).toMatch(/load\s+req\/s\s+out tok\/s/);
  expect(ran.stdout).toMatch(/c=1\s+\d/);
  // "—" where this machine is so busy that no pair is one.
  expect(ran.stdout).toMatch(/routed − direct: TTFT (—|[+−]\d+\.\d+ ms \[.*\], \d+ pairs)/);
  expect(ran.stdout).toContain("At 64x8: alone");
  // 4 where this machine is too busy to measure anything, and says so.
  expect([0, 4]).toContain(ran.status);
  await until(isBack, "the replica is back");
});

test("Ctrl-C stops the sweep in the proxy, keeps what there is and puts the replica back", async () => {
  const child = spawn(process.execPath, [
    PROGRAM,
    ...sweep("--preset", "quick", "--shape", "64x8"),
  ]);
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const { sweeps } = fleet.proxy;
  await until(() => (sweeps.running()[0]?.requests ?? 0) > 0, "the sweep sends", 20_000);
  child.kill("SIGINT");
  expect(await ended).toBe(130);
  expect(sweeps.running()).toEqual([]);
  expect(sweeps.list().sweeps[0]).toMatchObject({ because: "stopped by an operator" });
  await until(isBack, "the replica is back");
});

test("a command that is killed outright stops asking: the proxy ends its sweep and the replica is back within its lease", async () => {
  const child = spawn(process.execPath, [
    PROGRAM,
    ...sweep("--preset", "quick", "--shape", "64x8"),
  ]);
  const gone = new Promise<NodeJS.Signals | null>((resolve) => {
    child.on("exit", (_status, signal) => resolve(signal));
  });
  const { sweeps } = fleet.proxy;
  await until(() => (sweeps.running()[0]?.requests ?? 0) > 0, "the sweep sends", 20_000);
  child.kill("SIGKILL");
  expect(await gone).toBe("SIGKILL");
  expect(isBack()).toBe(false);
  // The lease counts from the last time it asked; the rest is what stopping and a busy machine take.
  await until(isBack, "the replica is back", (LEASE_SECONDS + 3) * 1000);
  expect(sweeps.running()).toEqual([]);
  const because = `stopped: nobody has asked about it for ${LEASE_SECONDS} s`;
  expect(sweeps.list().sweeps[0]).toMatchObject({ state: "stopped", because });
});

test.each([
  [["--replica", "nobody"], 2, 'there is no replica "nobody": known are vllm-0, vllm-1'],
  [["--admin", "http://127.0.0.1:1"], 3, "no proxy answers at http://127.0.0.1:1"],
  [["--turns", "3"], 2, "--turns does not go with --replica"],
  [["http://127.0.0.1:2"], 2, "name http://127.0.0.1:2 or --replica vllm-0, not both"],
  [["--share", "2"], 2, '"2" is not a share'],
])("%j ends with status %i and a sentence", async (flags, status, sentence) => {
  const ran = await pitot(sweep(...flags));
  expect(ran.stderr).toContain(sentence);
  expect(ran.status).toBe(status);
});
