import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { request } from "undici";
import { systemClock } from "../../engines/clock.ts";
import { startSimulatedEngine } from "../../engines/sim/server.ts";
import type { SeriesAnswer } from "../../proxy/telemetry/series.ts";
import { chatBody, JSON_HEADERS, MODEL, until } from "../harness/fleet.ts";

const CLI = join(import.meta.dirname, "../../proxy/cli.ts");
const data = mkdtempSync(join(tmpdir(), "pitot-kill-"));
const children: ChildProcess[] = [];
afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(data, { recursive: true });
});

async function serve(
  engine: string,
): Promise<{ child: ChildProcess; dataUrl: string; adminUrl: string }> {
  const local = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const child = spawn(
    process.execPath,
    [CLI, "serve", "--replica", engine, ...local, "--data", data],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  children.push(child);
  const [line] = (await once(child.stderr, "data")) as [Buffer];
  const [, dataUrl = "", adminUrl = ""] =
    /(http:\S+)\/v1 .* board (http:\S+)\//.exec(line.toString()) ?? [];
  return { child, dataUrl, adminUrl };
}

test("kill -9 under load and a restart lose less than a second of what had ended", async () => {
  const engine = await startSimulatedEngine({ persona: "vllm", model: MODEL, seed: 1, speed: 20 });
  const first = await serve(engine.url);
  const endedMs: number[] = [];
  const over = new AbortController();
  const client = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const answer = await request(`${first.dataUrl}/v1/chat/completions`, {
        method: "POST",
        headers: JSON_HEADERS,
        body: chatBody({ tokens: 4 }),
      });
      const text = await answer.body.text();
      if (text.includes("[DONE]")) endedMs.push(systemClock.nowMs());
    }
  };
  const clients = Array.from({ length: 4 }, () => client().catch(() => {}));
  await until(() => (endedMs.at(-1) ?? 0) - (endedMs[0] ?? 0) > 3_500, "some seconds of load");
  const killedMs = systemClock.nowMs();
  first.child.kill("SIGKILL");
  over.abort();
  await Promise.all(clients);

  const second = await serve(engine.url);
  const api = async (path: string): Promise<unknown> =>
    (await request(second.adminUrl + path)).body.json();
  const series = (await api("/api/v1/series?metric=completed&window=15m")) as SeriesAnswer;
  const kept = series.lines[0]!.total.n;
  const { endedTotal } = (await api("/api/v1/state")) as { endedTotal: number };
  // A second is written when it is over; on a busy machine its tick comes some tens of ms late.
  const safe = endedMs.filter((at) => at < killedMs - 1_250).length;
  expect(safe).toBeGreaterThan(20);
  expect(kept).toBeGreaterThanOrEqual(safe);
  expect(kept).toBeLessThanOrEqual(endedMs.length + clients.length);
  expect(endedTotal).toBe(kept);
  second.child.kill("SIGKILL");
  await engine.close();
});
