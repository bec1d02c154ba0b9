import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { until } from "../../harness/fleet.ts";
import { pitot } from "../../harness/pitot.ts";

const CLI = join(import.meta.dirname, "../../../proxy/cli.ts");
const folder = mkdtempSync(join(tmpdir(), "pitot-sim-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe("pitot sim refuses in one sentence, with exit code 2", () => {
  test.each([
    ["an unknown fault", ["--fault", "explode"], 'fault kind "explode" is unknown'],
    ["a fault without its field", ["--fault", "stall"], "needs afterTokens"],
    ["a script that is not there", ["--script", join(folder, "none")], "cannot be read"],
    ["a script that is no YAML", ["--script", file("bad.yaml", "a: [")], "bad.yaml"],
    [
      "a script with a wrong step",
      ["--script", file("wrong.yaml", "- { atSeconds: x }")],
      "step 1: atSeconds",
    ],
    ["a rate without scripted timing", ["--rate", "5"], "add --timing scripted"],
    ["a negative boot", ["--boot-seconds", "-1"], "from 0"],
    ["no replicas", ["--replicas", "0"], "from 1 to 64"],
    [
      "a key for an engine without",
      ["--persona", "tensorrt-llm", "--api-key", "x"],
      "leave --api-key out",
    ],
    ["an unknown model", ["--model", "nobody/has-it"], "not in the catalogue"],
  ])("%s", async (_name, flags, sentence) => {
    const { status, stderr, stdout } = await pitot(["sim", "--listen", "127.0.0.1:0", ...flags]);
    expect(stderr).toContain(sentence);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    // A usage error also says where help is.
    expect(stderr.trim().split("\n").length).toBeLessThanOrEqual(2);
  });

  test("a port somebody holds", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const { port } = holder.address() as { port: number };
    const { status, stderr } = await pitot(["sim", "--listen", `127.0.0.1:${port}`]);
    holder.close();
    expect(stderr).toContain("already in use");
    expect(status).toBe(2);
  });
});

test("pitot sim holds several replicas, plays its script, and ends at an interrupt", async () => {
  const script = file(
    "faults.yaml",
    "- { atSeconds: 0, faults: [{ kind: status, status: 503, retryAfterSeconds: 1 }] }\n",
  );
  const flags = [
    "--listen",
    "127.0.0.1:0",
    "--replicas",
    "3",
    "--persona",
    "sglang",
    "--timing",
    "scripted",
    "--ttft-ms",
    "5",
    "--script",
    script,
  ];
  const child = spawn(process.execPath, [CLI, "sim", ...flags], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let text = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
  const urls = (): string[] => [...text.matchAll(/ on (http:\S+);/g)].map(([, url]) => url ?? "");
  await until(() => urls().length === 3, "three replicas");
  expect(new Set(urls()).size).toBe(3);
  const status = async (url: string): Promise<number> =>
    (
      await fetch(`${url}/v1/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: '{"prompt":"a"}',
      })
    ).status;
  await until(async () => (await status(urls()[2]!)) === 503, "the script has begun");
  child.kill("SIGINT");
  const [code] = (await once(child, "exit")) as [number];
  expect(code).toBe(130);
});
