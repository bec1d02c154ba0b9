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

describe("recognition", () => {
  const answering =
    (pages: Readonly<Record<string, Partial<ProbeAnswer>>>, otherwise = 404) =>
    (path: string): Promise<ProbeAnswer> =>
      Promise.resolve({
        path,
        status: otherwise,
        headers: {},
        body: "",
        ...(pages[path] === undefined ? {} : { status: 200, ...pages[path] }),
      });
  const list = (...owners: string[]): string =>
    JSON.stringify({ data: owners.map((owned_by, index) => ({ id: `m${index}`, owned_by })) });

  test("of a list passed on by a gateway names the engine and says that something stands in front", async () => {
    const found = await identify(answering({ "/v1/models": { body: list("vllm") } }), signal);
    expect(found).toMatchObject({ engine: "vllm", confidence: 0.8, direct: false });
    expect(found.because).toContain("a gateway in front of it");
  });

  test("does not take a missing page for a gateway when the page is only locked or late", async () => {
    for (const status of [0, 401, 500, 503]) {
      const pages = { "/v1/models": { body: list("vllm") }, "/version": { status } };
      expect(await identify(answering(pages), signal)).toMatchObject({
        direct: true,
        confidence: 1,
      });
    }
  });

  test("of a list that several engines own says so and relies on none of them", async () => {
    const found = await identify(
      answering({ "/v1/models": { body: list("vllm", "sglang") } }),
      signal,
    );
    expect(found).toMatchObject({ engine: "vllm", confidence: 0.4, direct: false });
    expect(found.because).toContain("sglang is as likely");
    expect(found.because).toContain("a gateway in front of several engines");
  });

  test.each([
    ["an API key is wanted", 401, "it wants an API key"],
    ["the key is refused", 403, "it wants an API key"],
    ["it is starting", 503, "still starting"],
    ["it is broken", 500, "answers 500"],
    ["it has no such route", 404, "answers 404"],
    ["nobody answers", 0, "could not be reached"],
  ])("says what is in the way when %s, and is not settled", async (_name, status, words) => {
    const found = await identify(answering({}, status), signal);
    expect(found).toMatchObject({ engine: "openai", settled: false, models: [] });
    expect(found.because).toContain(words);
  });

  test("asks whoever cannot be reached once, not five times", async () => {
    const asked: string[] = [];
    await identify((path) => {
      asked.push(path);
      return Promise.resolve({ path, status: 0, headers: {}, body: "connection refused" });
    }, signal);
    expect(asked).toEqual(["/v1/models"]);
  });

  test("is not fooled by the root page, a version or a metrics page alone", async () => {
    const pages = {
      "/": { body: '"SGLang is running"' },
      "/version": { body: '{"version":"0.11.0"}' },
      "/metrics": { body: "vllm:num_requests_running 1\n" },
      "/v1/models": { body: list("acme") },
    };
    expect(await identify(answering(pages), signal)).toMatchObject({
      engine: "openai",
      version: "0.11.0",
      direct: false,
    });
  });

  test("doubts a header that the model list contradicts, and says both", async () => {
    const headers = { server: "llama.cpp" };
    const pages = { "/v1/models": { body: list("acme"), headers } };
    const found = await identify(answering(pages), signal);
    expect(found).toMatchObject({ engine: "llama.cpp", confidence: 0.8 });
    expect(found.because).toContain('owned by "acme"');
  });

  test.each([
    ["null", "null"],
    ["a list", "[]"],
    ["models that are no cards", '{"data":[null,1,"m",{"id":7}]}'],
    ["data that is no list", '{"data":{"id":"m"}}'],
    ["cut off JSON", '{"data":[{"id":"m","owned_by":"vl'],
  ])("survives a model list that is %s", async (_name, body) => {
    expect(await identify(answering({ "/v1/models": { body } }), signal)).toMatchObject({
      engine: "openai",
      models: [],
    });
  });

  test("sends what its caller adds: a server that wants a key is known by the one who has it", async () => {
    const get =
      (key: string) =>
      (path: string): Promise<ProbeAnswer> =>
        key === "secret"
          ? answering({
              "/v1/models": { body: list("sglang") },
              "/server_info": { body: '{"version":"0.5.18"}' },
            })(path)
          : answering({}, 401)(path);
    expect(await identify(get("secret"), signal)).toMatchObject({
      engine: "sglang",
      version: "0.5.18",
    });
    expect(await identify(get(""), signal)).toMatchObject({ engine: "openai", settled: false });
  });
});
