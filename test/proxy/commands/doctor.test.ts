import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type SimulatedEngine, startSimulatedEngine } from "../../../engines/sim/server.ts";
import { MODEL } from "../../harness/fleet.ts";
import { type Front, startFront } from "../../harness/front.ts";
import { pitot } from "../../harness/pitot.ts";

const KEY = "sk-of-the-command-line";
const folder = mkdtempSync(join(tmpdir(), "pitot-doctor-"));
const QUICK = ["--idle-watch", "0.05"];
let engine: SimulatedEngine;
let guarded: Front;
let gone: string;

beforeAll(async () => {
  engine = await startSimulatedEngine({ persona: "sglang", model: MODEL, speed: 4 });
  guarded = await startFront(engine.url, {
    answer: (request, response) => {
      if (request.headers.authorization === `Bearer ${KEY}`) return false;
      response.writeHead(401).end('{"error":"Unauthorized"}');
      return true;
    },
  });
  const closed = await startFront(null, {});
  gone = closed.url;
  await closed.close();
});
afterAll(async () => {
  await guarded.close();
  await engine.close();
  rmSync(folder, { recursive: true });
});

describe("pitot doctor", () => {
  test("prints an aligned report and exits 0", async () => {
    const { status, stdout, stderr } = await pitot(["doctor", ...QUICK, engine.url]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const [title, ...rows] = stdout.trimEnd().split("\n");
    expect(title).toBe(engine.url);
    for (const row of rows) expect(row).toMatch(/^ {2}\S[\w-]* +\S/);
    expect(rows.map((row) => row.slice(2, 15).trim())).toEqual([
      "engine",
      "models",
      "limits",
      "tokens",
      "answers",
      "statistics",
      "connection",
      "keep-alive",
      "clock",
      "advice",
    ]);
    expect(rows[0]).toMatch(/^ {2}engine {7}sglang \d/);
  });

  test("prints one JSON document for all", async () => {
    const args = ["doctor", ...QUICK, "--json", "--no-request", engine.url, guarded.url];
    const { status, stdout } = await pitot(args);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      replicas: [
        { url: engine.url, state: "ok", engine: "sglang", tokens: null },
        { url: guarded.url, state: "failed", problem: expect.stringContaining("wants a key") },
      ],
    });
  });

  test("takes its key from the environment, and never prints it", async () => {
    const { status, stdout, stderr } = await pitot(["doctor", ...QUICK, guarded.url], {
      PITOT_API_KEY: KEY,
    });
    expect(status).toBe(0);
    expect(stdout + stderr).not.toContain(KEY);
  });

  test("examines the replicas of a file, each with its own key", async () => {
    const file = join(folder, "pitot.yaml");
    writeFileSync(
      file,
      `replicas:\n  - ${engine.url}\n  - { url: "${guarded.url}", apiKey: "env:ENGINE_KEY" }\n`,
    );
    const { status, stdout } = await pitot(["doctor", ...QUICK, "--config", file, "--json"], {
      ENGINE_KEY: KEY,
    });
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      replicas: [
        { url: engine.url, state: "ok" },
        { url: guarded.url, state: "ok" },
      ],
    });
  });

  test("exits 3 when one of several is not reached, and examines the rest", async () => {
    const { status, stdout } = await pitot(["doctor", ...QUICK, "--no-request", gone, engine.url]);
    expect(status).toBe(3);
    expect(stdout).toContain(`nothing listens at ${gone}`);
    expect(stdout).toContain("engine       sglang");
  });

  test.each([
    [["ftp://x"], "neither http nor https"],
    [["http://"], "is not a URL"],
    [[], "no URL was given"],
    [["http://127.0.0.1:1", "--ca", "/nowhere/ca.pem"], "--ca /nowhere/ca.pem cannot be read"],
    [["http://127.0.0.1:1", "--ca", import.meta.filename], "is no certificate: give it in PEM"],
    [["http://127.0.0.1:1", "--api-key", "a\nb"], "--api-key: "],
    [["http://127.0.0.1:1", "--idle-watch", "60"], "from 0 to 15"],
    [["--config", "/nowhere/pitot.yaml"], "/nowhere/pitot.yaml"],
  ])("%j is one sentence and exit 2", async (args, words) => {
    const { status, stdout, stderr } = await pitot(["doctor", ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(words);
  });
});
