import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { recipeFor } from "../../../engines/catalog/recipe-order.ts";
import { freePort } from "../../../engines/launch/free-port.ts";
import { type LaunchedEngine, launch } from "../../../engines/launch/launch.ts";
import {
  containerLaunch,
  type LaunchConfig,
  processLaunch,
  simulatorLaunch,
} from "../../../engines/launch/launch-config.ts";
import { LaunchError } from "../../../engines/launch/launch-error.ts";
import type { LoadProgress } from "../../../engines/launch/load-progress.ts";
import { personas } from "../../../engines/sim/personas/index.ts";
import { until } from "../../harness/fleet.ts";

const MODEL = "meta-llama/Llama-3.1-8B-Instruct";
const folder = mkdtempSync(join(tmpdir(), "pitot-launch-test-"));
const launched: LaunchedEngine[] = [];
afterEach(async () => {
  for (const engine of launched.splice(0)) await engine.stop(200);
});

/** Whether a process runs; one that ended and waits for its parent does not. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** An engine that is a shell script; `$PORT` is where it should answer. */
async function shell(script: string, more: Partial<LaunchConfig> = {}): Promise<LaunchConfig> {
  const port = await freePort();
  return {
    label: "scripted",
    engine: "vllm",
    command: ["sh", "-c", script],
    env: { PORT: String(port), FOLDER: folder },
    url: `http://127.0.0.1:${port}`,
    healthPath: "/health",
    ...more,
  };
}

/** A line of shell that becomes a simulated engine. */
const SIMULATE = simulatorLaunch({ persona: "vllm", model: MODEL, port: 1 })
  .command.join(" ")
  .replace("127.0.0.1:1", "127.0.0.1:$PORT");

const failureOf = async (config: LaunchConfig, options = {}): Promise<LaunchError> => {
  const error = await launch(config, options).then(
    (engine) => {
      launched.push(engine);
      return null;
    },
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(LaunchError);
  return error as LaunchError;
};

const pidIn = (file: string): number => Number(readFileSync(join(folder, file), "utf8"));

describe("a launched engine", () => {
  test.each(Object.keys(personas) as (keyof typeof personas)[])(
    "of persona %s answers, is recognised and leaves nothing behind",
    async (persona) => {
      const port = await freePort();
      const engine = await launch(simulatorLaunch({ persona, model: MODEL, port }));
      expect(engine.recognition).toMatchObject({ engine: persona, models: [{ id: MODEL }] });
      expect((await fetch(`${engine.url}/v1/models`)).status).toBe(200);
      await engine.stop();
      await expect(fetch(engine.url)).rejects.toThrow("fetch failed");
      expect(runs(engine.pid)).toBe(false);
      await engine.ended;
      await engine.stop();
    },
  );

  test.each(["sglang", "llama.cpp"] as const)(
    "of persona %s is waited for while it loads",
    async (persona) => {
      const port = await freePort();
      const flags = ["--boot-seconds", "0.5"];
      const engine = await launch(simulatorLaunch({ persona, model: MODEL, port, flags }));
      launched.push(engine);
      expect(engine.startMs).toBeGreaterThan(500);
      expect(engine.recognition).toMatchObject({ engine: persona, settled: true });
    },
  );

  test("tells its log and its progress while it starts", async () => {
    const lines: string[] = [];
    const progress: LoadProgress[] = [];
    const bar = "Loading safetensors checkpoint shards:";
    const engine = await launch(
      await shell(
        `printf '${bar}  25%% Completed | 1/4\\r${bar}  25%% Completed | 1/4\\r${bar} 100%% Completed | 4/4\\n'
         printf .....; sleep 0.1; printf .....; sleep 0.1; echo; exec ${SIMULATE}`,
      ),
      { onLine: (line) => lines.push(line), onProgress: (step) => progress.push(step) },
    );
    launched.push(engine);
    const ratios = progress.map(({ ratio }) => ratio);
    // Dots are heard as they come, or together where the machine is busy.
    expect([ratios.slice(0, 2), ratios.at(-1)]).toEqual([[0.25, 1], 0.1]);
    expect(lines).toContain("..........");
    expect(engine.logTail().join("\n")).toContain("(simulated) on");
  });

  test("that ignores SIGTERM is killed after its grace, grandchildren too", async () => {
    const engine = await launch(
      await shell(
        `trap '' TERM; sleep 1000 & echo $! > $FOLDER/grandchild; ${SIMULATE} & while :; do sleep 1; done`,
      ),
    );
    const grandchild = pidIn("grandchild");
    expect([runs(engine.pid), runs(grandchild)]).toEqual([true, true]);
    await engine.stop(100);
    expect([runs(engine.pid), runs(grandchild)]).toEqual([false, false]);
    expect(await engine.ended).toEqual({ code: null, signal: "SIGKILL" });
  });

  test("that ends by itself says so and takes its workers along", async () => {
    const engine = await launch(
      await shell(
        `sleep 1000 & echo $! > $FOLDER/worker; ${SIMULATE} & read -r _ < $FOLDER/never`,
        {
          command: [
            "sh",
            "-c",
            `mkfifo $FOLDER/never; sleep 1000 & echo $! > $FOLDER/worker; ${SIMULATE} & read -r _ < $FOLDER/never; exit 7`,
          ],
        },
      ),
    );
    writeFileSync(join(folder, "never"), "go\n");
    expect(await engine.ended).toEqual({ code: 7, signal: null });
    await until(() => !runs(pidIn("worker")), "the worker is gone");
    await engine.stop();
  });

  test("is given its files in a folder that goes when it goes", async () => {
    const recipe = recipeFor({ engine: "tensorrt-llm", model: "qwen3-8b" });
    const { files } = processLaunch(recipe);
    const engine = await launch(
      await shell(`cat trtllm.yaml > $FOLDER/copy; pwd > $FOLDER/where; exec ${SIMULATE}`, {
        files: files!,
      }),
    );
    expect(readFileSync(join(folder, "copy"), "utf8")).toContain("return_perf_metrics: true");
    const where = readFileSync(join(folder, "where"), "utf8").trim();
    expect(readdirSync(where)).toEqual(["trtllm.yaml"]);
    await engine.stop();
    expect(() => readdirSync(where)).toThrow("ENOENT");
  });
});

describe("a launch fails in one sentence", () => {
  test("with the last lines of the log when the engine dies", async () => {
    const config = await shell(
      `for line in $(seq 1 50); do echo "line $line"; done; echo "torch.OutOfMemoryError: CUDA out of memory" >&2; exit 3`,
    );
    const { failure, message } = await failureOf(config);
    expect(failure).toBe("ended");
    expect(message).toMatch(/^scripted ended before it was ready \(exit status 3\)\./);
    expect(message).toContain("\n  torch.OutOfMemoryError: CUDA out of memory");
    expect(message).not.toContain("\n  line 5\n");
  });

  test("when a signal ends the engine", async () => {
    const { message } = await failureOf(await shell("kill -SEGV $$"));
    expect(message).toContain("(SIGSEGV). It wrote no log.");
  });

  test("when its program is not there, with how to get it", async () => {
    const recipe = recipeFor({ engine: "vllm", model: "llama-3.1-8b" });
    const config = { ...processLaunch(recipe), url: (await shell("")).url };
    const missing = { ...config, command: ["vllm-is-not-here", "serve"] };
    const { failure, message } = await failureOf(missing);
    expect(failure).toBe("not-found");
    expect(message).toMatch(/^"vllm-is-not-here" is not installed here: pip install vllm==.+\.$/);
  });

  test("when somebody else holds the port", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { failure, message } = await failureOf(await shell("exit 9", { url }));
    expect(failure).toBe("port-taken");
    expect(message).toContain(`${url} already answers`);
    server.close();
  });

  test("when what answers is another engine", async () => {
    const port = await freePort();
    const config = simulatorLaunch({ persona: "sglang", model: MODEL, port });
    const { failure, message } = await failureOf({ ...config, engine: "vllm" });
    expect(failure).toBe("wrong-engine");
    expect(message).toContain("answers as sglang, not as vllm");
    await expect(fetch(config.url)).rejects.toThrow("fetch failed");
  });

  test("when it is not ready in time, and nothing of it is left", async () => {
    const config = await shell(`echo $$ > $FOLDER/slow; echo "still loading"; exec sleep 1000`);
    const { failure, message } = await failureOf(config, { startLimitMs: 1_000 });
    expect(failure).toBe("timeout");
    expect(message).toContain("not ready within 1 s (/health does not answer).\n  still loading");
    expect(runs(pidIn("slow"))).toBe(false);
  });
});

describe("an aborted launch", () => {
  test("rejects with the reason and leaves nothing behind", async () => {
    const abort = new AbortController();
    const config = await shell(`echo $$ > $FOLDER/aborted; echo started; exec sleep 1000`);
    const reason = new Error("the user changed their mind");
    const launching = launch(config, {
      signal: abort.signal,
      onLine: () => abort.abort(reason),
    });
    await expect(launching).rejects.toBe(reason);
    expect(runs(pidIn("aborted"))).toBe(false);
  });

  test("starts nothing when aborted before", async () => {
    const config = await shell("touch $FOLDER/touched");
    await expect(launch(config, { signal: AbortSignal.abort() })).rejects.toThrow("abort");
    expect(readdirSync(folder)).not.toContain("touched");
  });
});

test.each([
  ["SIGINT", "exits on SIGTERM", ":"],
  ["SIGKILL", "ignores SIGTERM", "trap '' TERM"],
] as const)("a parent that dies by %s leaves no orphan that %s", async (signal, _, script) => {
  const program = join(import.meta.dirname, "orphan-maker.ts");
  const parent = spawn(process.execPath, [program, script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [told] = (await once(parent.stdout, "data")) as [Buffer];
  const [group = 0, grandchild = 0] = told.toString().trim().split(" ").map(Number);
  expect([runs(group), runs(grandchild)]).toEqual([true, true]);
  parent.kill(signal);
  await until(() => !runs(grandchild), "the grandchild is gone");
  await until(() => !runs(group), "the group is gone");
});

describe("a container", () => {
  test("is stopped by name", async () => {
    const port = await freePort();
    // Stands in for the docker client: `run` is the engine, `stop` ends it by name.
    const docker = `#!/bin/sh
      if [ "$1" = stop ]; then echo "$@" > ${folder}/stopped; kill $(cat ${folder}/$4); exit; fi
      echo "$@" > ${folder}/run; echo $$ > ${folder}/pitot-test; PORT=${port}; exec ${SIMULATE}`;
    writeFileSync(join(folder, "docker"), docker, { mode: 0o755 });
    const path = process.env["PATH"];
    process.env["PATH"] = `${folder}:${path}`;
    try {
      const recipe = recipeFor({ engine: "vllm", model: "llama-3.1-8b", port });
      const engine = await launch(containerLaunch(recipe, "pitot-test"));
      expect(readFileSync(join(folder, "run"), "utf8")).toContain("run --rm --name pitot-test");
      await engine.stop(1_500);
      expect(readFileSync(join(folder, "stopped"), "utf8").trim()).toBe("stop -t 2 pitot-test");
      expect(runs(engine.pid)).toBe(false);
    } finally {
      process.env["PATH"] = path;
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
