import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { systemClock } from "../../../engines/clock.ts";
import { applySettings } from "../../../proxy/commands/apply-settings.ts";
import { Reloader, type ReloadResult } from "../../../proxy/config/reloader.ts";
import type { Settings } from "../../../proxy/config/schema.ts";
import { loadSettings } from "../../../proxy/config/settings.ts";
import { chatBody, JSON_HEADERS, startFleet, type TestFleet, until } from "../../harness/fleet.ts";

let folder: string;
let file: string;
let fleet: TestFleet;
let reloader: Reloader;
let results: ReloadResult[];

const load = (): Settings => loadSettings({ file, environment: {}, flags: {} });

/** Replicas of the running fleet as a file names them. */
function listed(...indexes: readonly number[]): string {
  const lines = indexes.map((index) => {
    const engine = fleet.engines[index];
    return `  - ${engine?.persona}-${index}=${engine?.url}`;
  });
  return `replicas:\n${lines.join("\n")}\n`;
}

/** As editors and deploys do it: the whole file beside, then over it. */
function put(text: string): void {
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "pitot-config-"));
  file = join(folder, "pitot.yaml");
  fleet = await startFleet(["vllm", "vllm"], { engine: { speed: 20 } });
  put(listed(0, 1));
  results = [];
  let current = load();
  reloader = new Reloader({
    file,
    clock: systemClock,
    load,
    apply: (next) => {
      const said = applySettings(fleet.proxy, current, next);
      current = next;
      return said;
    },
    onResult: (result) => {
      results.push(result);
    },
  });
});

afterEach(async () => {
  reloader.stop();
  await fleet.stop();
  rmSync(folder, { recursive: true });
});

function ask(tokens: number): Promise<string> {
  return fetch(`${fleet.proxy.dataUrl}/v1/chat/completions`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: chatBody({ tokens }),
  }).then((response) => response.text());
}

describe("reloading the configuration", () => {
  test("L15 twenty times under load fails no request, and counts its versions", async () => {
    const answers: Promise<string>[] = [];
    for (let round = 0; round < 20; round++) {
      answers.push(ask(8));
      put(`${round % 2 === 0 ? listed(0) : listed(0, 1)}timeouts: {stallMs: ${1000 + round}}\n`);
      expect(reloader.reload()).toMatchObject({ ok: true, version: round + 2 });
    }
    for (const answer of await Promise.all(answers)) expect(answer).toContain("[DONE]");
  });

  test("L16 with an invalid file keeps the old one and says line and column", () => {
    put("replicas:\n  - http://127.0.0.1:1\ntimeouts:\n  stallMs: never\n");
    expect(reloader.reload()).toMatchObject({ ok: false, version: 1 });
    expect(results.at(-1)?.message).toContain(`${file}:4:12: timeouts.stallMs ("never")`);
    expect(fleet.proxy.fleet.views()).toHaveLength(2);
  });

  test("L17 without a replica lets its streams finish and gives it no new ones", async () => {
    const streams = Array.from({ length: 6 }, () => ask(400));
    const arrived = (): number => fleet.engines.reduce((sum, one) => sum + one.stats().received, 0);
    await until(() => arrived() === 6, "all six at the engines");
    put(listed(0));
    expect(reloader.reload().message).toBe("removed vllm-1");
    const before = fleet.engines[1]?.stats().received;
    await Promise.all([ask(4), ask(4), ask(4)]);
    expect(fleet.engines[1]?.stats().received).toBe(before);
    for (const answer of await Promise.all(streams)) expect(answer).toContain("[DONE]");
  });

  test("L18 never applies a file that is still being written", async () => {
    const whole = `${listed(0, 1)}timeouts: {stallMs: 77}\n`;
    // In place, piece by piece: most prefixes of a YAML file are YAML files.
    for (let end = 10; end < whole.length; end += 12) {
      writeFileSync(file, whole.slice(0, end));
      await systemClock.after(20);
    }
    writeFileSync(file, whole);
    await until(() => results.length > 0, "the finished file is applied");
    expect(results).toEqual([
      expect.objectContaining({ ok: true, message: "time limits changed" }),
    ]);
  });

  test("happens by itself when the file is replaced", async () => {
    put(`${listed(0, 1)}routing: {policy: round-robin}\n`);
    await until(() => results.length > 0, "the new file is applied");
    expect(results[0]?.message).toBe("policy is now round-robin");
  });

  test("says what only a restart can change", () => {
    put(`${listed(0, 1)}listen: 127.0.0.1:1\n`);
    expect(reloader.reload().message).toBe("listen will change with the next start");
  });

  test("of a file that has gone is refused and changes nothing", () => {
    rmSync(file);
    expect(reloader.reload()).toMatchObject({ ok: false, version: 1 });
    expect(fleet.proxy.fleet.views()).toHaveLength(2);
  });
});
