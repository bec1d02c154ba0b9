import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { until } from "./fleet.ts";

const PROGRAM = join(import.meta.dirname, "../../bin/pitot.mjs");
/** Node starts it in half a second; where every core is taken by others, in ten. */
const START_MS_MAX = 25_000;

/** `pitot serve` as a user runs it. */
export interface Served {
  readonly child: ChildProcess;
  /** Where clients connect. */
  readonly url: string;
  readonly adminUrl: string;
  /** Standard error so far. */
  said(): string;
  /** Standard output so far. */
  printed(): string;
  /** Its exit status, once it is gone. */
  gone(): Promise<number | null>;
}

export interface ServedOptions {
  readonly flags: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** What runs the program: Node, or a shell that limits it first. */
  readonly prefix?: readonly string[];
}

/** Starts it on ports the system picks; resolves when it listens. Whoever starts it kills it. */
export async function startServed({
  flags,
  env = {},
  prefix = [process.execPath],
}: ServedOptions): Promise<Served> {
  const [command = "", ...before] = prefix;
  const listen = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const child = spawn(command, [...before, PROGRAM, "serve", ...listen, ...flags], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  let printed = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const gone = once(child, "exit").then(([status]) => status as number | null);
  const isUp = (): boolean => /pitot: http:\S+\/v1/.test(said) || child.exitCode !== null;
  await until(isUp, "it listens", START_MS_MAX).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  const [, url = "", adminUrl = ""] = /pitot: (http:\S+)\/v1.*board (http:\S+)\//.exec(said) ?? [];
  return { child, url, adminUrl, said: () => said, printed: () => printed, gone: () => gone };
}
