import type { StoredType } from "./checkpoints.ts";
import type { MemoryPlan, ServingEngine } from "./memory.ts";
import type { RecipeFile, Subject } from "./recipe.ts";

/** What differs from engine to engine. Everything else of a {@link Recipe} follows from the model and the card. */
export interface EngineRecipe {
  readonly version: string;
  readonly image: string;
  readonly install: string;
  readonly port: number;
  readonly livePath: string;
  readonly metricsPath: string;
  readonly cacheDir: string;
  readonly containerEnv: Readonly<Record<string, string>>;
  readonly file: RecipeFile | null;
  /** Weight type when none is asked for and the model has none of its own. */
  readonly weights: StoredType;
  /** What the image is given before the flags: nothing where its entry point is the engine. */
  readonly entry: readonly string[];
  readonly program: readonly string[];
  flags(order: Order): readonly (string | number)[];
}

/** What the flags of a command depend on. */
export interface Order extends Subject {
  readonly checkpoint: string;
  /** The checkpoint is bf16 and fp8 was asked for. */
  readonly quantise: boolean;
  readonly port: number;
  readonly plan: MemoryPlan;
  /** Path of {@link EngineRecipe.file} as the command sees it. */
  readonly filePath: string;
}

const VLLM = "0.27.1";
const SGLANG = "0.5.18";
const TENSORRT_LLM = "1.3.0rc20";
const LLAMA_CPP = "b11151";
const LISTEN = ["--host", "0.0.0.0", "--port"] as const;

/** The start commands as each engine's own documentation gives them, plus only what makes the engine tell its load and its cache hits. */
export const recipes: Readonly<Record<ServingEngine, EngineRecipe>> = {
  // docker/Dockerfile (entry point "vllm serve"); flags: vllm/engine/arg_utils.py, entrypoints/openai/cli_args.py.
  vllm: {
    version: VLLM,
    image: `vllm/vllm-openai:v${VLLM}`,
    install: `pip install vllm==${VLLM}`,
    port: 8000,
    livePath: "/health",
    metricsPath: "/metrics",
    cacheDir: "/root/.cache/huggingface",
    containerEnv: {},
    file: null,
    weights: "bf16",
    entry: [],
    program: ["vllm", "serve"],
    flags: ({ checkpoint, tp, port, quantise, model, plan }) => [
      checkpoint,
      ...LISTEN,
      port,
      ...when(tp > 1, "--tensor-parallel-size", tp),
      ...when(quantise, "--quantization", "fp8"),
      // Without it vLLM refuses to start when the cache cannot hold one sequence of full length.
      ...when(plan.lengthTokens < model.contextTokens, "--max-model-len", plan.lengthTokens),
      "--enable-prompt-tokens-details",
    ],
  },
  // python/sglang/srt/server_args.py; the image has no entry point of its own.
  sglang: {
    version: SGLANG,
    image: `lmsysorg/sglang:v${SGLANG}`,
    install: `pip install "sglang[all]==${SGLANG}"`,
    port: 30_000,
    // Its /health generates a token and says 503 while a long prefill runs (sgl-project/sglang#22511).
    livePath: "/ping",
    metricsPath: "/metrics",
    cacheDir: "/root/.cache/huggingface",
    containerEnv: {},
    file: null,
    weights: "bf16",
    entry: ["python3", "-m", "sglang.launch_server"],
    program: ["python3", "-m", "sglang.launch_server"],
    flags: ({ checkpoint, tp, port, quantise, model, plan }) => [
      "--model-path",
      checkpoint,
      ...LISTEN,
      port,
      ...when(tp > 1, "--tp-size", tp),
      ...when(quantise, "--quantization", "fp8"),
      ...when(plan.lengthTokens < model.contextTokens, "--context-length", plan.lengthTokens),
      "--enable-metrics",
      "--enable-cache-report",
    ],
  },
  // tensorrt_llm/commands/serve.py; telemetry: tensorrt_llm/serve/openai_server.py, llmapi/llm_args.py.
  "tensorrt-llm": {
    version: TENSORRT_LLM,
    image: `nvcr.io/nvidia/tensorrt-llm/release:${TENSORRT_LLM}`,
    install: `pip install tensorrt-llm==${TENSORRT_LLM} --extra-index-url https://pypi.nvidia.com`,
    port: 8000,
    livePath: "/health",
    metricsPath: "/prometheus/metrics",
    cacheDir: "/root/.cache/huggingface",
    containerEnv: {},
    file: {
      name: "trtllm.yaml",
      content: "return_perf_metrics: true\nenable_iter_perf_stats: true\n",
    },
    weights: "bf16",
    entry: ["trtllm-serve"],
    program: ["trtllm-serve"],
    flags: ({ checkpoint, tp, port, model, plan, filePath }) => [
      checkpoint,
      ...LISTEN,
      port,
      ...when(tp > 1, "--tp_size", tp),
      ...when(plan.lengthTokens < model.contextTokens, "--max_seq_len", plan.lengthTokens),
      "--extra_llm_api_options",
      filePath,
    ],
  },
  // tools/server/README.md, docs/docker.md (entry point "/app/llama-server"), common/arg.cpp.
  "llama.cpp": {
    version: LLAMA_CPP,
    image: `ghcr.io/ggml-org/llama.cpp:server-cuda-${LLAMA_CPP}`,
    install: `a CUDA build of https://github.com/ggml-org/llama.cpp/releases/tag/${LLAMA_CPP}`,
    port: 8080,
    livePath: "/health",
    metricsPath: "/metrics",
    cacheDir: "/root/.cache/llama.cpp",
    // Builds of 2026 would use Hugging Face's folder otherwise, older ones this (ggml-org/llama.cpp#21009).
    containerEnv: { LLAMA_CACHE: "/root/.cache/llama.cpp" },
    file: null,
    weights: "q4_k_m",
    entry: [],
    program: ["llama-server"],
    flags: ({ checkpoint, weights, port, model, plan }) => [
      ...(checkpoint.endsWith(".gguf")
        ? ["-m", checkpoint]
        : ["-hf", weights === "mxfp4" ? checkpoint : `${checkpoint}:${weights.toUpperCase()}`]),
      ...LISTEN,
      port,
      "-ngl",
      99,
      ...when(plan.lengthTokens < model.contextTokens, "-c", plan.lengthTokens),
      "--metrics",
    ],
  },
};

function when(
  holds: boolean,
  ...flags: readonly (string | number)[]
): readonly (string | number)[] {
  return holds ? flags : [];
}
