import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FactReader } from "../../../../proxy/telemetry/fact.ts";
import { PENDING_BYTES_MAX } from "../../../../proxy/telemetry/log/log-file.ts";
import { accessLine } from "../../../../proxy/telemetry/log/log-line.ts";
import { RequestLog } from "../../../../proxy/telemetry/log/request-log.ts";
import { exchangeOf } from "../../../harness/exchanges.ts";
import { until } from "../../../harness/fleet.ts";

const root = mkdtempSync(join(tmpdir(), "pitot-log-"));
afterAll(() => {
  rmSync(root, { recursive: true });
});
const facts = new FactReader();

describe("the request log", () => {
  test("has one JSON line per request, real and synthetic, and none per probe", async () => {
    const path = join(root, "one.jsonl");
    const log = new RequestLog({ path });
    for (const origin of ["real", "synthetic", "probe"] as const)
      log.take(facts.read(exchangeOf({ origin, id: origin, ttftMs: 123.456 }), "m"));
    await log.stop();
    const lines = readFileSync(path, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.map((line) => line["id"])).toEqual(["real", "synthetic"]);
    expect(lines[0]).toMatchObject({ ttftMs: 123.46, outcome: "completed", countedBy: "usage" });
    expect(log.dropped).toBe(0);
  });

  test("K06: is rotated by size and keeps only so many files", async () => {
    const path = join(root, "rotated.jsonl");
    const log = new RequestLog({ path, fileBytesMax: 20_000, filesMax: 3 });
    for (let batch = 0; batch < 30; batch++) {
      for (let index = 0; index < 5; index++)
        log.take(facts.read(exchangeOf({ id: `${batch}.${index}` }), "m"));
      log.flush();
    }
    await log.stop();
    const files = readdirSync(root).filter((name) => name.startsWith("rotated"));
    expect(files.toSorted()).toEqual(["rotated.jsonl", "rotated.jsonl.1", "rotated.jsonl.2"]);
    for (const file of files) expect(statSync(join(root, file)).size).toBeLessThanOrEqual(20_000);
    const newest = readFileSync(path, "utf8").trim().split("\n").at(-1)!;
    expect((JSON.parse(newest) as { id: string }).id).toBe("29.4");
  });

  test("L22: a reader that stopped reading costs lines, counted, and never a wait", async () => {
    const path = join(root, "pipe");
    execFileSync("mkfifo", [path]);
    // Opens the pipe and reads nothing.
    const reader = spawn("sh", ["-c", `exec 3<>"${path}"; echo open; read _`], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    const log = new RequestLog({ path });
    await once(reader.stdout, "data");
    const fact = facts.read(exchangeOf(), "m");
    const lines = Math.ceil((3 * PENDING_BYTES_MAX) / 600);
    for (let index = 0; index < lines; index++) {
      log.take(fact);
      if (index % 500 === 0) log.flush();
    }
    log.flush();
    expect(log.dropped).toBeGreaterThan(lines / 4);
    reader.stdin.end();
    await until(() => reader.exitCode !== null, "the reader is gone");
    await log.stop();
    expect(log.dropped).toBeLessThanOrEqual(lines);
  });

  test("a directory that is not there costs lines, counted", async () => {
    const log = new RequestLog({ path: join(root, "nowhere", "log") });
    log.take(facts.read(exchangeOf(), "m"));
    await log.stop();
    expect(log.dropped).toBe(1);
  });

  test("as an access log reads like a web server's, and no name breaks out of its field", () => {
    const wild = { model: 'x" 200 9\n127.0.0.1', client: "team a" };
    const line = accessLine(
      facts.read(exchangeOf({ endedMs: Date.UTC(2026, 10, 25), ...wild }), "m"),
    );
    expect(line).toMatch(
      /^- - team_a \[25\/Nov\/2026:00:00:00 \+0000\] "POST \/v1\/chat\/completions HTTP\/1\.1" 200 100 "-" "-" id=\S+ .*model=x__200_9_127\.0\.0\.1 /,
    );
    expect(line).not.toContain("\n");
  });
});
