import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";

/**
 * `npm run pack:check`: packs the program, installs the tarball into an empty folder as a user would, and uses it from
 * there: nothing of this checkout is in reach. About a minute; needs npm's registry or cache for the dependencies.
 */

const ROOT = join(import.meta.dirname, "..", "..");
const place = mkdtempSync(join(tmpdir(), "pitot-package-"));
// The Node that runs this is the one npm and the program get.
const env = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}`,
};
const program = join(place, "node_modules", ".bin", "pitot");
const LOOPBACK = "127.0.0.1:0";
const LIMIT_MS = 120_000;

function check(holds: boolean, what: string, found: string): void {
  if (!holds) throw new Error(`${what}:\n${found}`);
  process.stdout.write(`ok  ${what}\n`);
}

function run(command: string, args: readonly string[], cwd = place): string {
  return execFileSync(command, args, { cwd, env, encoding: "utf8", timeout: LIMIT_MS });
}

/** Starts a command that goes on, waits until it has said `ready`, acts, and interrupts it. */
async function during(
  args: readonly string[],
  ready: RegExp,
  act: (said: string) => Promise<void>,
): Promise<void> {
  const child = spawn(program, args, { cwd: place, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  const closed = new Promise<number | null>((resolve) => child.on("close", resolve));
  const begun = new Promise<void>((resolve) => {
    const hear = (text: string): void => {
      said += text;
      if (ready.test(said)) resolve();
    };
    child.stdout.setEncoding("utf8").on("data", hear);
    child.stderr.setEncoding("utf8").on("data", hear);
    child.on("close", () => {
      resolve();
    });
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  try {
    await begun;
    check(ready.test(said), `pitot ${args[0]} starts`, said);
    await act(said);
    child.kill("SIGINT");
    const status = await closed;
    check(status === 130, `pitot ${args[0]} ends when interrupted`, `status ${status}\n${said}`);
  } finally {
    child.kill("SIGKILL");
    clearTimeout(limit);
  }
}

async function get(url: string): Promise<string> {
  const answer = await fetch(url);
  const text = await answer.text();
  check(answer.ok, `GET ${new URL(url).pathname} answers ${answer.status}`, text);
  return text;
}

async function chat(endpoint: string): Promise<void> {
  const answer = await fetch(`${endpoint}/chat/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      model: "meta-llama/Llama-3.1-8B-Instruct",
      stream: true,
      max_tokens: 8,
      messages: [{ role: "user", content: "Hello" }],
    }),
  });
  const text = await answer.text();
  check(text.includes("[DONE]"), "an answer streams through the proxy", text);
}

/** The board, the recorded traffic and the worker that replays it. */
async function demo(): Promise<void> {
  const args = ["demo", "--speed", "40", "--listen", LOOPBACK, "--admin", LOOPBACK];
  await during(args, /Ctrl-C/, async (said) => {
    const admin = /board +(\S+)\//.exec(said)?.[1] ?? "";
    const endpoint = /endpoint +(\S+)/.exec(said)?.[1] ?? "";
    check(/metrics +http/.test(said) && /curl -N/.test(said), "three URLs and a curl", said);
    const page = await get(`${admin}/`);
    const script = /type="module"[^>]*src="([^"]+\.js)"/.exec(page)?.[1] ?? "";
    await get(new URL(script, `${admin}/`).href);
    await chat(endpoint);
    let ended = "";
    for (let look = 0; look < 50 && !ended.includes('"completed"'); look++) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      ended = await (await fetch(`${admin}/api/v1/requests?state=ended`)).text();
    }
    check(ended.includes('"completed"'), "recorded traffic goes through", ended + said);
  });
}

/** An engine, a proxy on two threads with a database, and a sweep, each by itself. */
async function fleet(): Promise<void> {
  const sim = ["sim", "--persona", "sglang", "--speed", "5", "--listen", LOOPBACK];
  await during(sim, /on http/, async (engineSaid) => {
    const engine = /on (http\S+?);/.exec(engineSaid)?.[1] ?? "";
    const serve = ["serve", "--replica", engine, "--threads", "2", "--data", "kept"];
    const where = ["--listen", LOOPBACK, "--admin", LOOPBACK];
    await during([...serve, ...where], /board http/, async (said) => {
      const urls = [...said.matchAll(/http:\/\/127\.0\.0\.1:\d+/g)].map(([url]) => url);
      const endpoint = urls.find((url) => url !== engine) ?? "";
      await chat(`${endpoint}/v1`);
    });
    check(readdirSync(join(place, "kept")).length > 0, "the data directory is used", "");
    const sweep = ["sweep", engine, "--preset", "smoke", "--shape", "64x8", "--concurrency", "2"];
    const options = { cwd: place, env, encoding: "utf8", timeout: LIMIT_MS } as const;
    const swept = spawnSync(program, [...sweep, "--out", "runs", "--json"], options);
    // 4: measured, but a busy machine was the limit.
    check(swept.status === 0 || swept.status === 4, "a sweep ends", swept.stderr);
    const { runId } = JSON.parse(swept.stdout) as { runId?: string };
    check(runId !== undefined, "in one document", swept.stdout);
  });
}

try {
  const packed = run("npm", ["pack", "--pack-destination", place, "--silent"], ROOT).trim();
  writeFileSync(join(place, "package.json"), '{"name":"user","private":true}');
  const tarball = join(place, packed.split("\n").at(-1) ?? "");
  const install = ["i", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline", tarball];
  run("npm", install);
  const held = readdirSync(join(place, "node_modules", "pitot"), { recursive: true }).map(String);
  const strays = held.filter((file) =>
    /^(?:test|shared|docs)|\.test\.|\.map$|^dist\/\w+\/.*\.ts$/.test(file),
  );
  check(
    strays.length === 0,
    `the package holds ${held.length} files and no strays`,
    strays.join("\n"),
  );
  const version = run(program, ["--version"]);
  check(/^\d+\.\d+\.\d+\n$/.test(version), "it says its version", version);
  const recipe = run(program, ["recipe", "vllm", "llama-3.1-8b", "--gpu", "h100"]);
  check(recipe.includes("vllm serve"), "the catalogue is found", recipe);
  await demo();
  await fleet();
} catch (error) {
  process.stderr.write(
    `not as packed: ${error instanceof Error ? error.message : String(error)}\n`,
  );
  process.exitCode = 1;
} finally {
  rmSync(place, { recursive: true, force: true });
}
