import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const PROGRAM = join(import.meta.dirname, "..", "..", "bin", "pitot.mjs");

export interface Demo {
  /** The board's address, without a slash at its end. */
  readonly adminUrl: string;
  /** As Ctrl-C does; resolves once it has ended. */
  stop(): Promise<void>;
}

/** `pitot demo` as a process of its own, on free ports. */
export async function startDemo(flags: readonly string[] = []): Promise<Demo> {
  const ports = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
  const demo = spawn(process.execPath, [PROGRAM, "demo", ...ports, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  demo.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const adminUrl = await new Promise<string>((resolve, reject) => {
    demo.stdout.on("data", (text: Buffer) => {
      said += text.toString();
      const url = /board\s+(http:\S+?)\/?\s/.exec(said)?.[1];
      if (url !== undefined) resolve(url);
    });
    demo.once("exit", (code) => {
      reject(new Error(`the demo ended with ${code}: ${said}`));
    });
  });
  return {
    adminUrl,
    stop: async () => {
      if (demo.exitCode !== null) return;
      const ended = once(demo, "exit");
      demo.kill("SIGINT");
      await ended;
    },
  };
}
