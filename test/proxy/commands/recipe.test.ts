import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { pitot } from "../../harness/pitot.ts";

describe("pitot recipe", () => {
  test("prints a command under what to know first", async () => {
    const { status, stdout, stderr } = await pitot(["recipe", "vllm", "llama-3.1-8b"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const lines = stdout.trimEnd().split("\n");
    const first = lines.findIndex((line) => !line.startsWith("#"));
    expect(lines[first]).toBe("vllm serve meta-llama/Llama-3.1-8B-Instruct \\");
    expect(lines.slice(0, first).join("\n")).toMatch(/16 GB of bf16 weights on 1 × H100/);
    expect(lines.slice(first).every((line) => !line.startsWith("#"))).toBe(true);
  });

  test("prints YAML that can be piped on", async () => {
    const args = ["recipe", "sglang", "qwen3-32b", "--tp", "2", "--format", "kubernetes"];
    const { status, stdout } = await pitot(args);
    expect(status).toBe(0);
    const kinds = parseAllDocuments(stdout).map((one) => (one.toJS() as { kind: string }).kind);
    expect(kinds).toEqual(["PersistentVolumeClaim", "Deployment", "Service"]);
  });

  test("prints one JSON document with every form", async () => {
    const { stdout } = await pitot(["recipe", "trtllm", "qwen3-8b", "--gpu", "h200", "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      engine: "tensorrt-llm",
      model: "Qwen/Qwen3-8B",
      gpu: "h200",
      metricsPath: "/prometheus/metrics",
      sequenceTokensMax: 40_960,
      docker: expect.stringContaining("docker run"),
      kubernetes: expect.stringContaining("ConfigMap"),
    });
  });

  test.each([
    [["vllm", "llama-3.1-70b"], "does not fit on 1 × H100"],
    [["vllm", "lama-3.1-8b"], "did you mean meta-llama/Llama-3.1-8B-Instruct"],
    [["vlm", "llama-3.1-8b"], 'no recipe for "vlm": choose vllm'],
    [["vllm", "llama-3.1-8b", "--gpu", "h1000"], 'GPU "h1000" is not in the catalogue'],
    [["vllm", "llama-3.1-8b", "--tp", "3"], "choose 1, 2, 4 or 8"],
    [["vllm", "llama-3.1-8b", "--tp", "0"], "from 1 to 16"],
    [["vllm", "llama-3.1-8b", "--port", "70000"], "from 1 to 65535"],
    [["vllm", "llama-3.1-8b", "--weights", "int4"], "int4"],
    [["vllm"], "missing required argument 'model'"],
  ])("%j is one sentence and exit 2", async (args, words) => {
    const { status, stdout, stderr } = await pitot(["recipe", ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain(words);
  });
});
