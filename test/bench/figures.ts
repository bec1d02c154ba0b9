import { readFile } from "node:fs/promises";
import { gpus } from "../../engines/catalog/gpus.ts";
import {
  type Model,
  models,
  parameters,
  WEIGHT_BYTES,
  type WeightType,
} from "../../engines/catalog/models.ts";
import { readCsv } from "./csv.ts";
import type { KvType, Persona } from "../../engines/sim/profiles.ts";

/** One published measurement the simulator can be held against. */
export interface Figure {
  /** Line of the file, the header being line 1. */
  readonly line: number;
  readonly persona: Persona;
  /** vLLM plans the next step while this one runs, as its releases from 0.14 do. */
  readonly asyncScheduling: boolean;
  readonly version: string;
  readonly model: Model;
  readonly weights: WeightType;
  readonly kvType: KvType;
  readonly tp: number;
  readonly expertParallel: boolean;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly load: Load;
  readonly client: Client;
  readonly tpotMs: number;
  readonly ttftMs: number | null;
  readonly ttftStatistic: "mean" | "median";
}

/** So many users each with one request at a time, or requests at a constant rate. */
export type Load =
  | { readonly kind: "users"; readonly users: number }
  | { readonly kind: "rate"; readonly perSecond: number };

/** What the row's notes tell of the client and the engine's flags. */
export interface Client {
  /** Lengths are drawn evenly between this share of the nominal one and the whole; 1 is fixed lengths. */
  readonly lengthShareMin: number;
  readonly sequencesMax: number | null;
  readonly stepTokensMax: number | null;
  readonly kvCapacityTokens: number | null;
  /** Requests take the chat route, with its template and parsers. */
  readonly chat: boolean;
  /** Prompts are drawn from so many distinct ones: the prefix cache knows them. */
  readonly distinctPrompts: number | null;
}

/** A row the simulator is not held against, and why. */
export interface Excluded {
  readonly line: number;
  readonly reason: string;
}

/** A file that is not a table of figures. */
export class FiguresError extends Error {
  override readonly name = "FiguresError";
}

/** Columns a table of figures must have. */
const COLUMNS = [
  "engine",
  "engine_version",
  "model",
  "precision",
  "gpu",
  "num_gpus",
  "isl",
  "osl",
  "concurrency_or_rate",
  "ttft_ms",
  "ttft_stat",
  "itl_or_tpot_ms",
  "notes",
] as const;

type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

/** Reads a table of published figures. @throws {FiguresError} when it cannot be read or lacks a column. */
export async function readFigures(
  file: string | URL,
): Promise<{ readonly rows: number; readonly figures: Figure[]; readonly excluded: Excluded[] }> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new FiguresError(`${String(file)} cannot be read: ${(error as Error).message}`);
  }
  const [header = [], ...lines] = readCsv(text.replace(/^\uFEFF/, ""));
  const missing = COLUMNS.filter((column) => !header.includes(column));
  if (missing.length > 0)
    throw new FiguresError(`${String(file)} lacks the column ${missing.join(", ")}.`);
  const figures: Figure[] = [];
  const excluded: Excluded[] = [];
  for (const [index, cells] of lines.entries()) {
    const row = Object.fromEntries(
      COLUMNS.map((column) => [column, (cells[header.indexOf(column)] ?? "").trim()]),
    ) as Row;
    const read = readFigure(row, index + 2);
    if (typeof read === "string") excluded.push({ line: index + 2, reason: read });
    else figures.push(read);
  }
  return { rows: lines.length, figures, excluded };
}

/** A figure, or the reason why the row cannot be one. Looks at the row alone, never at what the simulator says. */
function readFigure(row: Row, line: number): Figure | string {
  const read = {
    persona: personaOf(row.engine),
    model: modelOf(row.model),
    weights: weightsOf(row.precision),
    tp: positive(row.num_gpus),
    inputTokens: positive(row.isl),
    outputTokens: positive(row.osl),
    load: loadOf(row.concurrency_or_rate),
    tpotMs: positive(row.itl_or_tpot_ms),
  };
  const against = reasonAgainst(row, read) ?? doubtOf(row.notes);
  if (against !== null) return against;
  const whole = read as { readonly [Key in keyof typeof read]: NonNullable<(typeof read)[Key]> };
  return {
    ...whole,
    line,
    asyncScheduling: isAsync(row),
    version: row.engine_version,
    kvType: kvTypeOf(whole, row),
    expertParallel: noted(row.notes, /\bmoe_ep(\d+)\b/, 1) > 1,
    client: clientOf(row, whole),
    // A tail of TTFT is no figure for a mean or a median.
    ttftMs: /p9\d|max/i.test(row.ttft_stat) ? null : positive(row.ttft_ms),
    ttftStatistic: /median|p50/i.test(row.ttft_stat) ? "median" : "mean",
  };
}

type Read = { readonly [Key in keyof Figure]?: Figure[Key] | null };

/** What the row does not say, or says of something the simulator is not. */
function reasonAgainst(row: Row, read: Read): string | null {
  const { persona, model, weights, tp } = read;
  if (!persona) return `engine "${row.engine}" is not simulated`;
  if (persona === "vllm" && isBeforeV1(row))
    return "vLLM before V1: its scheduler is not simulated";
  if (!/\bh100\b/i.test(row.gpu) || /\b(pcie|nvl|mig)\b/i.test(row.gpu))
    return "not a whole H100 SXM";
  const lacks = lacking(read, noted(row.notes, /\bdp(\d+)\b/, 1));
  if (lacks !== null) return lacks;
  if (!model) return `model "${row.model}" is not in the catalogue`;
  if (!weights) return "weight type not stated, or not simulated";
  if ((weights === "mxfp4") !== (model.nativeType === "mxfp4"))
    return "precision contradicts the weights the model is published in";
  if (/speculat|eagle|medusa|\bmtp\b/i.test(row.notes)) return "speculative decoding";
  return (read.tpotMs ?? 0) < floorMs(model, weights, tp ?? 1)
    ? "below the time it takes to read the weights once"
    : null;
}

function lacking(read: Read, dataParallel: number): string | null {
  const { tp, inputTokens, outputTokens, load, tpotMs } = read;
  if (!tp) return "prefill and decode on separate cards, or number of cards not stated";
  if (!tpotMs) return "no TPOT";
  if (!inputTokens || !outputTokens) return "input or output length not stated";
  if (outputTokens < 2) return "a single output token has no TPOT";
  if (!load) return "load is neither users nor requests per second";
  return dataParallel !== 1 || ![1, 2, 4, 8].includes(tp)
    ? "cards are not one tensor-parallel group of 1, 2, 4 or 8"
    : null;
}

/** Time to read once what a single token needs of the weights: no step without drafts is faster. */
function floorMs(model: Model, weights: WeightType, tp: number): number {
  const { layers, hidden, vocab, experts } = model;
  const mixed = experts === undefined ? 0 : layers - (experts.denseLayers ?? 0);
  const active = mixed * (experts?.active ?? 0) * 3 * hidden * (experts?.ffn ?? 0);
  const embeddings = vocab * hidden * (model.tiedEmbeddings === true ? 1 : 2);
  const bytes = (parameters(model).outsideExperts - embeddings + active) * WEIGHT_BYTES[weights];
  return ((bytes / tp) * 1000) / gpus.h100.bandwidth;
}

/** A number the notes hold, or what stands for its absence. */
function noted<Absent>(notes: string, pattern: RegExp, absent: Absent): number | Absent {
  const found = pattern.exec(notes)?.[1];
  return found === undefined ? absent : Number(found);
}

function personaOf(engine: string): Persona | null {
  const name = engine.toLowerCase().replaceAll(/[^a-z]/g, "");
  if (name === "vllm" || name === "sglang") return name;
  if (["trtllm", "tensorrtllm"].includes(name)) return "tensorrt-llm";
  return ["llamacpp", "llamaserver"].includes(name) ? "llama.cpp" : null;
}

/** Release as a comparable number, 0.15.1 being 15; from the day of measurement where no version is given. */
function releaseOf({ engine_version, notes }: Row): number | null {
  const version = /\b(\d+)\.(\d+)(?:\.\d+|rc|\b)/.exec(engine_version);
  if (version !== null) return Number(version[1]) * 1000 + Number(version[2]);
  const day = /\b(20\d\d)-(\d\d)\b/.exec(notes);
  if (day !== null) return `${day[1]}-${day[2]}` < VLLM_ASYNC_SINCE ? VLLM_ASYNC - 1 : VLLM_ASYNC;
  const year = /\b(20\d\d)\b/.exec(engine_version)?.[1];
  return year === undefined ? null : Number(year) < VLLM_V1_YEAR ? VLLM_V1 - 1 : null;
}

/** First vLLM minor release with the V1 engine, and the first that schedules asynchronously by default (and its month). */
const VLLM_V1 = 8;
const VLLM_V1_YEAR = 2025;
const VLLM_ASYNC = 14;
const VLLM_ASYNC_SINCE = "2026-01";

function isBeforeV1(row: Row): boolean {
  return (releaseOf(row) ?? VLLM_ASYNC) < VLLM_V1;
}

function isAsync(row: Row): boolean {
  return (releaseOf(row) ?? VLLM_ASYNC) >= VLLM_ASYNC;
}

/** A catalogue model by the name a benchmark gave it: repository, quantisation and tuning endings aside. */
function modelOf(name: string): Model | null {
  const bare = (id: string): string =>
    id
      .slice(id.lastIndexOf("/") + 1)
      .toLowerCase()
      .replaceAll(
        /[-_](instruct|it|chat|hf|base|fp8|bf16|fp16|mxfp4|v\d[\d.]*|\d{4})(?=[-_]|$)/g,
        "",
      );
  const wanted = bare(name);
  return models.find(({ id }) => bare(id) === wanted) ?? null;
}

function weightsOf(precision: string): WeightType | null {
  const text = precision.toLowerCase();
  if (/not stated|\bor\b/.test(text)) return null;
  if (/mxfp4/.test(text)) return "mxfp4";
  const [fp8, bf16] = [/fp8/.test(text), /bf16|fp16|float16/.test(text)];
  if (fp8 === bf16) return null;
  return fp8 ? "fp8" : "bf16";
}

/** NVIDIA's own FP8 checkpoints quantise the cache with the weights; those in blocks come from the models' makers and do not. */
function kvTypeOf({ persona, weights }: Pick<Figure, "persona" | "weights">, row: Row): KvType {
  const isNvidias =
    persona === "tensorrt-llm" && weights === "fp8" && !/block/i.test(row.precision);
  return isNvidias ? "fp8" : "bf16";
}

function loadOf(text: string): Load | null {
  const users = /^c(\d+)$/i.exec(text)?.[1];
  if (users !== undefined && Number(users) > 0) return { kind: "users", users: Number(users) };
  const rate = /^(\d+(?:\.\d+)?) req\/s\b/.exec(text)?.[1];
  return rate !== undefined && Number(rate) > 0 ? { kind: "rate", perSecond: Number(rate) } : null;
}

/** What the row says against itself. */
function doubtOf(notes: string): string | null {
  if (/buffered stream/i.test(notes)) return "buffered stream: the client saw tokens in bursts";
  if (/prefix reuse or/i.test(notes)) return "behind a router: prefix reuse or several workers";
  if (/disaggregated/i.test(notes)) return "prefill and decode on separate cards";
  const failures = noted(notes, /failures (\d+)/, 0);
  return failures > 0 ? "overloaded: requests of the run failed" : null;
}

/** Tokens a step of an engine started by aiconfigurator may hold beyond its batch and one prompt. */
const AICONFIGURATOR_SLACK_TOKENS = 1500;

function clientOf(
  { notes }: Row,
  { persona, load, inputTokens }: Pick<Figure, "persona" | "load" | "inputTokens">,
): Client {
  const users = load.kind === "users" ? load.users : null;
  // aiconfigurator sets the engine's budget from the workload (its generator/rule_plugin/benchmark/*.rule).
  const generated = /^aic .*record/.test(notes);
  return {
    lengthShareMin: noted(notes, /lengths uniform (0\.\d+)-1/, 1),
    sequencesMax: /max-num-seqs = concurrency/.test(notes)
      ? users
      : noted(notes, /max[_-]num[_-]seqs[ =](\d+)/, null),
    stepTokensMax:
      generated && persona !== "sglang" && users !== null
        ? users + inputTokens + AICONFIGURATOR_SLACK_TOKENS
        : noted(notes, /max[_-]num[_-]batched[_-]tokens[ =](\d+)/, null),
    kvCapacityTokens: poolTokens(notes),
    chat: generated,
    distinctPrompts: noted(notes, /(\d+) distinct prompts reused/, null),
  };
}

/** The size of a KV pool the notes give as a range of thousands: its middle. */
function poolTokens(notes: string): number | null {
  const range = /KV pool ~?(\d+)-(\d+)k tokens/.exec(notes);
  return range === null ? null : ((Number(range[1]) + Number(range[2])) / 2) * 1000;
}

function positive(text: string): number | null {
  const value = text === "" ? Number.NaN : Number(text);
  return Number.isFinite(value) && value > 0 ? value : null;
}
