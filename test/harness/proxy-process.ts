import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const CLI = join(import.meta.dirname, "../../proxy/cli.ts");

/** `pitot serve` in a process of its own: one that can be killed. */
export interface ProxyProcess {
  readonly dataUrl: string;
  readonly adminUrl: string;
  readonly child: ChildProcess;
  /** Kills it outright and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts one in front of `replicas` on free ports, keeping what it keeps in `data`; resolves when it listens. */
export async function startProxyProcess(
  replicas: readonly string[],
  data: string,
): Promise<ProxyProcess> {
  const listen = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data", data];
  const flags = [...replicas.flatMap((replica) => ["--replica", replica]), ...listen];
  const child = spawn(process.execPath, [CLI, "serve", ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [dataUrl, adminUrl] = await new Promise<readonly [string, string]>((resolve, reject) => {
    let said = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      const [, forData, forAdmin] = /(http:\S+)\/v1 .* board (http:\S+)\//.exec(said) ?? [];
      if (forData !== undefined && forAdmin !== undefined) resolve([forData, forAdmin]);
    });
    child.once("exit", () => {
      reject(new Error(`the proxy did not start: ${said}`));
    });
  });
  return {
    dataUrl,
    adminUrl,
    child,
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    },
  };
}
