import { describe, expect, test } from "vitest";
import type { ProbeAnswer } from "../../engines/engine.ts";
import { identify } from "../../engines/identify.ts";

function server(
  pages: Readonly<Record<string, unknown>>,
  headers: Record<string, string> = {},
): { asked: string[]; get: (path: string) => Promise<ProbeAnswer> } {
  const asked: string[] = [];
  return {
    asked,
    get: (path) => {
      asked.push(path);
      const page = pages[path];
      return Promise.resolve({
        path,
        status: page === undefined ? 404 : 200,
        headers,
        body: page === undefined ? "Not Found" : JSON.stringify(page),
      });
    },
  };
}

const models = (owner: string, rest: object = {}): object => ({
  object: "list",
  data: [{ id: "m", object: "model", owned_by: owner, ...rest }],
});
const signal = new AbortController().signal;

describe("a server", () => {
  test.each([
    [
      "vllm",
      { "/v1/models": models("vllm", { max_model_len: 4096 }), "/version": { version: "0.25.1" } },
      "0.25.1",
    ],
    ["vllm", { "/v1/models": models("vllm-frontend-rs") }, null],
    [
      "sglang",
      { "/v1/models": models("sglang"), "/server_info": { version: "0.5.18", model_path: "m" } },
      "0.5.18",
    ],
    [
      "tensorrt-llm",
      { "/v1/models": models("tensorrt_llm"), "/version": { version: "1.3.0rc29" } },
      "1.3.0rc29",
    ],
    [
      "llama.cpp",
      {
        "/v1/models": models("llamacpp", { meta: { n_ctx: 2048 } }),
        "/props": { build_info: "b10573-3f545bec" },
      },
      "b10573-3f545bec",
    ],
    ["openai", { "/v1/models": models("library") }, null],
    ["openai", {}, null],
  ])(
    "that owns its models as %s is recognised with its version",
    async (engine, pages, version) => {
      expect(await identify(server(pages).get, signal)).toMatchObject({ engine, version });
    },
  );

  test("is asked no more than five small questions", async () => {
    const { get, asked } = server({ "/v1/models": models("vllm") });
    await identify(get, signal);
    expect(asked.length).toBeLessThanOrEqual(5);
  });

  test("that is still loading is known by its header", async () => {
    expect(await identify(server({}, { server: "llama.cpp" }).get, signal)).toMatchObject({
      engine: "llama.cpp",
    });
  });

  test("tells its models and how long they may be", async () => {
    const { models: found } = await identify(
      server({ "/v1/models": models("vllm", { max_model_len: 4096 }) }).get,
      signal,
    );
    expect(found).toEqual([{ id: "m", maxModelLen: 4096 }]);
  });

  test("that answers nonsense is openai, never guessed", async () => {
    const get = (path: string): Promise<ProbeAnswer> =>
      Promise.resolve({ path, status: 200, headers: {}, body: "<html>" });
    expect(await identify(get, signal)).toMatchObject({ engine: "openai", models: [] });
  });
});
