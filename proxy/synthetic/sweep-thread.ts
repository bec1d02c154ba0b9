import { availableParallelism, cpus, platform, totalmem } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { every, systemClock } from "../../engines/clock.ts";
import { engines } from "../../engines/index.ts";
import { forkRandom } from "../../engines/random.ts";
import { ThreadHealth } from "../../load/generator/thread-health.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { refusedFields } from "../../load/length-probe.ts";
import { chooseMaterial } from "../../load/prompts/choose-material.ts";
import type { Material } from "../../load/prompts/material.ts";
import { workloadPrompts } from "../../load/prompts/prompts.ts";
import { RunFolder } from "../../load/results/run-folder.ts";
import type { SweepSummary } from "../../load/results/summary.ts";
import { estimateMs } from "../../load/sweep/estimate.ts";
import type { SweepEvent } from "../../load/sweep/events.ts";
import { runSweep, type SweepOptions } from "../../load/sweep/sweep.ts";
import { Batcher } from "./batcher.ts";
import { PathDifferences } from "./path-difference.ts";
import { PathTarget } from "./path-target.ts";
import type { FromSweep, PathSetup, SweepSetup, ToSweep } from "./thread-messages.ts";

const FLUSH_PERIOD_MS = 1_000;

const port = parentPort;
if (port === null) throw new Error("sweep-thread.ts runs as a thread of the proxy");
const say = (message: FromSweep): void => {
  port.postMessage(message);
};

const setup = workerData as SweepSetup;
const stop = new AbortController();
port.on("message", ({ kind }: ToSweep) => {
  if (kind === "stop") stop.abort();
});

/** Makes the load in a loop of its own: planning, prompts, parsing and files hold up nobody's answer. */
async function sweep(): Promise<SweepSummary | null> {
  const probe = open(setup.direct, []);
  const { material, refused } = await prepare(probe);
  await probe.close();
  if (stop.signal.aborted) return null;
  const direct = setup.routed !== null && !setup.paired ? null : open(setup.direct, refused);
  const routed = setup.routed === null ? null : open(setup.routed, refused);
  const differences = new PathDifferences();
  const batcher = new Batcher({
    clock: systemClock,
    model: setup.direct.model,
    replica: setup.subject.target,
    tokensMax: setup.tokensMax,
    inFlightMax: setup.inFlightMax,
    tell: (batch) => {
      say({ kind: "traffic", batch });
    },
    capped: (why) => {
      if (!stop.signal.aborted) say({ kind: "capped", why });
      stop.abort();
    },
  });
  const target = new PathTarget({
    label: setup.subject.target,
    direct,
    routed,
    random: forkRandom(setup.plan.seed, "ways"),
    differences,
    listener: batcher,
  });
  const health = new ThreadHealth(systemClock);
  try {
    return await runKept(material, (listeners) => ({
      ...listeners,
      runId: setup.runId,
      plan: setup.plan,
      subject: setup.subject,
      target,
      clock: systemClock,
      promptsFor: (workload) =>
        workloadPrompts(workload, material, { seed: setup.plan.seed, rows: [] }),
      prompts: material.kind,
      health,
      workers: 0,
      ceilingEventsPerSecond: null,
      finished: [],
      signal: stop.signal,
      onEvent: (event) => {
        listeners.onEvent(event);
        tell(event, differences);
      },
    }));
  } finally {
    batcher.stop();
    health.close();
    await Promise.all([direct?.close(), routed?.close()]);
  }
}

function tell(event: SweepEvent, differences: PathDifferences): void {
  // The summary comes with "done": once is enough.
  if (event.kind !== "ended") say({ kind: "event", event });
  if (event.kind !== "point-finished" || !setup.paired) return;
  // After its point: whoever hears it must know what it is of.
  const { pointId } = event.point;
  differences.ended(event.point);
  const point = differences.of(pointId);
  say({ kind: "difference", pointId, point, overall: differences.overall() });
}

function open({ labelHeader, ...path }: PathSetup, refused: readonly string[]): HttpTarget {
  const engine = engines[path.engine];
  const label = labelHeader === undefined ? {} : { labelHeader };
  return new HttpTarget({
    ...path,
    ...label,
    refused,
    engine,
    forceWith: engine,
    clock: systemClock,
  });
}

async function prepare(
  probe: HttpTarget,
): Promise<{ material: Material; refused: readonly string[] }> {
  const { engine: name, model } = setup.direct;
  const engine = engines[name];
  const post = probe.post.bind(probe);
  const material = await chooseMaterial({
    engine,
    model,
    direct: setup.ownRoutes,
    post,
    wanted: "auto",
    maxTokens: setup.subject.modelMaxTokens,
  });
  return { material, refused: await refusedFields(post, { engine, model }) };
}

type Listeners = Pick<SweepOptions, "directory" | "onExchange" | "onEvent">;

/** Runs a sweep into its folder, as the command line does; what was measured is kept, whatever happens. */
async function runKept(
  material: Material,
  options: (listeners: Listeners) => SweepOptions,
): Promise<SweepSummary> {
  const folder = setup.root === null ? null : createFolder(setup.root, material);
  const stopFlushing = every(systemClock, FLUSH_PERIOD_MS, () => {
    folder?.flush();
  });
  let state: "failed" | "interrupted" | "done" = "failed";
  try {
    const summary = await runSweep(
      options({
        directory: folder?.directory ?? null,
        onExchange: (exchange, lagMs) => {
          folder?.request(exchange, lagMs);
        },
        onEvent: (event) => {
          if (event.kind === "point-finished") folder?.point(event.point);
          folder?.event(event);
        },
      }),
    );
    folder?.summary(summary);
    state = summary.interrupted ? "interrupted" : "done";
    return summary;
  } finally {
    stopFlushing();
    folder?.end(state, new Date(systemClock.nowMs()).toISOString());
  }
}

function createFolder(root: string, material: Material): RunFolder {
  const { runId, plan, subject, release } = setup;
  return RunFolder.create(root, {
    runId,
    plan,
    subject,
    schemaVersion: 1,
    toolVersion: release,
    state: "running",
    startedAt: new Date(systemClock.nowMs()).toISOString(),
    endedAt: null,
    prompts: material.kind,
    environment: {
      runtime: `node ${process.version}`,
      platform: platform(),
      cpu: cpus()[0]?.model ?? "unknown",
      cores: availableParallelism(),
      memoryBytes: totalmem(),
      workers: 0,
      ceilingEventsPerSecond: null,
    },
    estimateMs: estimateMs(plan),
    resumed: [],
  });
}

try {
  say({ kind: "done", summary: await sweep() });
} catch (error) {
  say({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
}
port.close();
