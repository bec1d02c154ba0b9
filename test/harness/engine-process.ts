import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { MODEL } from "./fleet.ts";

const CLI = join(import.meta.dirname, "../../proxy/cli.ts");

/** A simulated engine in a process of its own: one that can be stopped, killed and started again. */
export interface EngineProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Kills it and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts one on `port`, any free one by default, and resolves when it listens. */
export async function startEngineProcess({
  port = 0,
  speed = 1,
  seed = 1,
  more = [],
}: {
  readonly port?: number;
  readonly speed?: number;
  readonly seed?: number;
  /** Further flags of `pitot sim`. */
  readonly more?: readonly string[];
} = {}): Promise<EngineProcess> {
  const flags = [
    "--listen",
    `127.0.0.1:${port}`,
    "--speed",
    String(speed),
    "--seed",
    String(seed),
    ...more,
  ];
  const child = spawn(process.execPath, [CLI, "sim", "--model", MODEL, ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const url = await new Promise<string>((resolve, reject) => {
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const [found] = /http:\/\/127\.0\.0\.1:\d+/.exec(said) ?? [];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", () => {
      reject(new Error(`the simulated engine did not start: ${said}`));
    });
  });
  return {
    url,
    child,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}
