import { availableParallelism, cpus, platform, totalmem } from "node:os";
import { every, systemClock } from "../../engines/clock.ts";
import { systemRandom } from "../../engines/random.ts";
import { loopbackCeiling } from "../../load/generator/ceiling.ts";
import type { GeneratorHealth } from "../../load/generator/health.ts";
import { ThreadHealth } from "../../load/generator/thread-health.ts";
import type { WorkerSetup } from "../../load/generator/worker-messages.ts";
import { WorkerTarget } from "../../load/generator/worker-target.ts";
import { engines } from "../../engines/index.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { refusedFields } from "../../load/length-probe.ts";
import { chooseMaterial, MaterialError } from "../../load/prompts/choose-material.ts";
import { DatasetError, readDataset } from "../../load/prompts/dataset.ts";
import type { Material } from "../../load/prompts/material.ts";
import type { Workload } from "../../load/prompts/workload.ts";
import { workloadPrompts } from "../../load/prompts/prompts.ts";
import type { Point } from "../../load/results/point.ts";
import { RunFolder } from "../../load/results/run-folder.ts";
import { RunLockedError } from "../../load/results/run-lock.ts";
import {
  type Environment,
  newRunId,
  type RunManifest,
  type RunState,
} from "../../load/results/run-manifest.ts";
import type { BadLine } from "../../load/results/run-reader.ts";
import type { Subject, SweepSummary } from "../../load/results/summary.ts";
import { estimateMs } from "../../load/sweep/estimate.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import type { SweepOptions } from "../../load/sweep/sweep.ts";
import type { Target } from "../../load/target.ts";
import { releaseVersion } from "./release.ts";
import { earlierRun } from "./earlier-run.ts";
import { CommandError, EXIT } from "./exit.ts";
import { type OpenTarget, openTarget } from "./open-target.ts";
import { missingUrl, type SweepFlags } from "./sweep.ts";
import { planOf } from "./sweep-plan.ts";

/** A sweep ready to run: everything opened, probed and claimed. */
export interface SweepSession {
  /** Runs it and closes everything, whatever happens. */
  run<R extends Ran>(sweep: (options: SweepOptions) => Promise<R>): Promise<R>;
}

/** What running a sweep gives: at least its document, which is kept. */
interface Ran {
  readonly summary: SweepSummary;
}

const WORKERS_AUTO_MAX = 8;
const FLUSH_PERIOD_MS = 1_000;

/**
 * Opens the target, finds out how prompts are made for it, tests the generator and claims the run's folder.
 * @throws {CommandError} with the sentence and status for whatever is missing.
 */
export async function prepareSweep(
  url: string | undefined,
  flags: SweepFlags,
  signal: AbortSignal,
): Promise<SweepSession> {
  const earlier = flags.resume === undefined ? null : earlierRun(flags.resume, flags.out);
  const address = url ?? earlier?.manifest.subject.target;
  if (address === undefined) throw missingUrl();
  const plan = earlier?.manifest.plan ?? (await planOf(flags));
  const rows = await datasetRows(plan);
  const opened = await openTarget(address, flags.model ?? earlier?.manifest.subject.model, flags);
  const subject = subjectOf(opened);
  const { material, refused } = await probe(opened, flags);
  const setup = { ...opened.setup, refused };
  const generator = await startGenerator(setup, flags.workers ?? autoWorkers());
  const ceilingEventsPerSecond = flags.selfTest ? await selfTest(generator.workers) : null;
  const environment = environmentOf(generator.workers, ceilingEventsPerSecond);
  const about = { plan, subject, environment, prompts: material.kind };
  const close = async (): Promise<void> => {
    await Promise.all([generator.close(), opened.target.close()]);
  };
  const { folder, points, bad } = await claimOr(close, {
    earlier: earlier?.directory ?? null,
    out: flags.out,
    about,
  });
  for (const { file, line, why } of bad) {
    process.stderr.write(`${file}:${line} is skipped: ${why}\n`);
  }
  const options = {
    runId: folder.manifest.runId,
    directory: folder.directory,
    plan,
    subject,
    target: generator.target,
    clock: systemClock,
    promptsFor: (workload: Workload) =>
      workloadPrompts(workload, material, {
        seed: plan.seed,
        rows: rows.get(workload.dataset ?? "") ?? [],
      }),
    prompts: material.kind,
    health: generator.health,
    workers: generator.workers,
    ceilingEventsPerSecond,
    finished: points,
    signal,
  };
  return {
    run: (sweep) => runKept(folder, close, (listeners) => sweep({ ...options, ...listeners })),
  };
}

/** Runs a sweep into its folder; what was measured is kept and everything is closed, whatever happens. */
async function runKept<R extends Ran>(
  folder: RunFolder,
  close: () => Promise<void>,
  sweep: (listeners: Pick<SweepOptions, "onExchange" | "onEvent">) => Promise<R>,
): Promise<R> {
  const stopFlushing = every(systemClock, FLUSH_PERIOD_MS, () => {
    folder.flush();
  });
  let state: RunState = "failed";
  try {
    const ran = await sweep({
      onExchange: (exchange, lagMs) => {
        folder.request(exchange, lagMs);
      },
      onEvent: (event) => {
        if (event.kind === "point-finished") folder.point(event.point);
        folder.event(event);
      },
    });
    folder.summary(ran.summary);
    state = ran.summary.interrupted ? "interrupted" : "done";
    return ran;
  } finally {
    stopFlushing();
    folder.end(state, new Date(systemClock.nowMs()).toISOString());
    await close();
  }
}

interface Claim {
  readonly earlier: string | null;
  readonly out: string;
  readonly about: Pick<RunManifest, "plan" | "subject" | "environment" | "prompts">;
}

interface Claimed {
  readonly folder: RunFolder;
  readonly points: readonly Point[];
  readonly bad: readonly BadLine[];
}

/** Claims the folder; threads that were started do not outlive a refusal. */
async function claimOr(close: () => Promise<void>, options: Claim): Promise<Claimed> {
  try {
    return claim(options);
  } catch (error) {
    await close();
    throw error;
  }
}

function claim(options: Claim): Claimed {
  const startedAt = new Date(systemClock.nowMs());
  try {
    if (options.earlier !== null) {
      const { folder, stored } = RunFolder.resume(options.earlier, startedAt.toISOString());
      return { folder, points: stored.points, bad: stored.bad };
    }
    const folder = RunFolder.create(options.out, {
      ...options.about,
      runId: newRunId(startedAt, systemRandom().next()),
      schemaVersion: 1,
      toolVersion: releaseVersion(),
      state: "running",
      startedAt: startedAt.toISOString(),
      endedAt: null,
      estimateMs: estimateMs(options.about.plan),
      resumed: [],
    });
    return { folder, points: [], bad: [] };
  } catch (error) {
    throw error instanceof RunLockedError ? new CommandError(EXIT.usage, error.message) : error;
  }
}

async function datasetRows(
  plan: SweepPlan,
): Promise<ReadonlyMap<string, Awaited<ReturnType<typeof readDataset>>>> {
  const rows = new Map<string, Awaited<ReturnType<typeof readDataset>>>();
  for (const { dataset } of plan.workloads) {
    if (dataset === null) continue;
    const read = await readDataset(dataset).catch((error: unknown) => {
      throw error instanceof DatasetError ? new CommandError(EXIT.usage, error.message) : error;
    });
    rows.set(dataset, read);
  }
  return rows;
}

/** Asks the engine, with a handful of small requests, how prompts and answers of exact length are had. */
async function probe(
  { target, model, engine, recognition, setup }: OpenTarget,
  flags: SweepFlags,
): Promise<{ material: Material; refused: readonly string[] }> {
  const post = target.post.bind(target);
  const forceWith = setup.forceWith === null ? null : engines[setup.forceWith];
  try {
    const material = await chooseMaterial({
      engine,
      model,
      direct: recognition.direct,
      post,
      wanted: flags.prompts,
      maxTokens: recognition.models.find(({ id }) => id === model)?.maxModelLen ?? null,
    });
    const refused =
      forceWith === null ? [] : await refusedFields(post, { engine: forceWith, model });
    return { material, refused };
  } catch (error) {
    await target.close();
    if (error instanceof MaterialError) throw new CommandError(EXIT.usage, error.message);
    const why = error instanceof Error ? error.message : String(error);
    throw new CommandError(EXIT.unreachable, `${target.label} stopped answering: ${why}`);
  }
}

interface Generator {
  readonly target: Target;
  readonly health: GeneratorHealth;
  readonly workers: number;
  close(): Promise<void>;
}

async function startGenerator(setup: WorkerSetup, workers: number): Promise<Generator> {
  if (workers > 0) {
    const target = await WorkerTarget.start(setup, workers, systemClock);
    return { target, health: target, workers, close: () => target.close() };
  }
  const engine = engines[setup.engine];
  const forceWith = setup.forceWith === null ? engine : engines[setup.forceWith];
  const target = new HttpTarget({ ...setup, engine, forceWith, clock: systemClock });
  const health = new ThreadHealth(systemClock);
  const close = async (): Promise<void> => {
    health.close();
    await target.close();
  };
  return { target, health, workers, close };
}

/** One less than the machine has: planning, records and the terminal want a core too. */
function autoWorkers(): number {
  return Math.max(1, Math.min(WORKERS_AUTO_MAX, availableParallelism() - 1));
}

async function selfTest(workers: number): Promise<number> {
  const plain = { model: "self-test", engine: "openai", exactLength: false } as const;
  const rest = { forceWith: null, refused: [], headers: [], connect: {} } as const;
  return loopbackCeiling(systemClock, async (url) => {
    const generator = await startGenerator({ url, ...plain, ...rest }, workers);
    const { target } = generator;
    return {
      label: target.label,
      send: (prompt, signal) => target.send(prompt, signal),
      close: () => generator.close(),
    };
  });
}

function subjectOf({ target, model, recognition }: OpenTarget): Subject {
  return {
    target: target.label,
    engine: recognition.engine,
    engineVersion: recognition.version,
    model,
    modelMaxTokens: recognition.models.find(({ id }) => id === model)?.maxModelLen ?? null,
  };
}

function environmentOf(workers: number, ceilingEventsPerSecond: number | null): Environment {
  return {
    runtime: `node ${process.version}`,
    platform: platform(),
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    workers,
    ceilingEventsPerSecond,
  };
}
