/** How far an engine is with starting, as its log tells. */
export interface LoadProgress {
  readonly phase: LoadPhase;
  /** 0 … 1; `null` when the log names the phase alone. */
  readonly ratio: number | null;
}

export type LoadPhase =
  | "downloading"
  | "loading weights"
  | "compiling"
  | "capturing graphs"
  | "warming up";

/** A phase and the line that gives it away; the first group is a percentage where there is one. */
type Sign = readonly [LoadPhase, RegExp];

/**
 * Progress bars are tqdm's: "Loading safetensors checkpoint shards:  25% Completed | 1/4 [00:01<00:03]".
 * vLLM and SGLang: model_executor/model_loader/weight_utils.py, model_loader/loader.py; CUDA graphs: vllm/v1/worker/gpu_model_runner.py,
 * sglang/srt/model_executor/cuda_graph_runner.py; TensorRT-LLM: _torch/models/modeling_utils.py; downloads: huggingface_hub/_snapshot_download.py.
 */
const SIGNS: readonly Sign[] = [
  ["downloading", /Fetching \d+ files:\s+(\d+)%/],
  [
    "loading weights",
    /oading (?:\w+ )*(?:checkpoint shards|shards|weights)(?: in parallel| concurrently)?:\s+(\d+)%/,
  ],
  ["capturing graphs", /Capturing (?:CUDA graphs?|batches).*?\s(\d+)%/],
  [
    "loading weights",
    /Load weight begin|Starting to load model|load_tensors: loading model tensors/,
  ],
  ["compiling", /torch\.compile|Compiling a graph/],
  ["capturing graphs", /Capture cuda graph begin|Graph capturing/],
  ["warming up", /warming up the model|warmup|Warming up/i],
];

/** llama.cpp writes one dot per percent on a line of its own (src/llama.cpp, the default progress callback). */
const DOTS = /^\.+$/;

/** Reads a line of a log, finished or not; `null` when it says nothing of progress. */
export function readProgress(line: string): LoadProgress | null {
  if (DOTS.test(line)) return { phase: "loading weights", ratio: Math.min(1, line.length / 100) };
  for (const [phase, sign] of SIGNS) {
    const match = sign.exec(line);
    if (match === null) continue;
    const percent = match[1];
    return { phase, ratio: percent === undefined ? null : Math.min(1, Number(percent) / 100) };
  }
  return null;
}
