import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

/** A llama-server of this machine, on a port it chose itself. */
export interface LlamaServer {
  readonly url: string;
  stop(): Promise<void>;
}

export const MODEL = "tiny-random";
const START_LIMIT_MS = 60_000;
const STOP_LIMIT_MS = 3_000;

/** Where the binary and the model are; README.md says how to get them. */
export function llamaPlaces(): { readonly binary: string; readonly model: string } {
  const binary = process.env["PITOT_LLAMA_SERVER"];
  const model = process.env["PITOT_LLAMA_MODEL"];
  if (binary === undefined || model === undefined) {
    throw new Error(
      "set PITOT_LLAMA_SERVER to a llama-server binary and PITOT_LLAMA_MODEL to a GGUF file: test/real/README.md says how to get both.",
    );
  }
  return { binary, model };
}

/** Starts it on a free loopback port and waits until it says that it listens. */
export async function startLlamaServer(...flags: readonly string[]): Promise<LlamaServer> {
  const { binary, model } = llamaPlaces();
  const fixed = ["-m", model, "--alias", MODEL, "--host", "127.0.0.1", "--port", "0"];
  const small = ["-np", "2", "-c", "65536", "-t", "2", "--seed", "1", "--jinja", "--no-webui"];
  const child = spawn(binary, [...fixed, ...small, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const url = await listening(child).catch((error: unknown) => {
    child.kill("SIGKILL");
    throw error;
  });
  return {
    url,
    async stop() {
      const over = once(child, "exit");
      if (child.exitCode !== null) return;
      child.kill("SIGTERM");
      // It waits for its connections; a keep-alive socket of ours would hold it.
      const limit = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
      await over;
      clearTimeout(limit);
    },
  };
}

/** Its log names the port on either stream, depending on the build. */
function listening(child: ChildProcess): Promise<string> {
  const log: string[] = [];
  return new Promise((resolve, reject) => {
    const limit = setTimeout(() => {
      reject(
        new Error(`llama-server did not listen within ${START_LIMIT_MS} ms:\n${log.join("\n")}`),
      );
    }, START_LIMIT_MS);
    child.once("error", reject);
    child.once("exit", (code) => {
      clearTimeout(limit);
      reject(new Error(`llama-server exited with ${code}:\n${log.slice(-20).join("\n")}`));
    });
    for (const stream of [child.stdout, child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        const [url] = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(line) ?? [];
        if (url === undefined) return;
        clearTimeout(limit);
        resolve(url);
      });
    }
  });
}
