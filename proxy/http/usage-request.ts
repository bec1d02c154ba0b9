import type { Engine } from "../../engines/engine.ts";
import type { InferenceRoute } from "../../engines/exchange.ts";
import { headerOf } from "./headers.ts";
import type { Body, HeldBody, Splice } from "./held-body.ts";
import type { Peek } from "./json-peek.ts";

/**
 * Usage once, at the end. The second option is for TensorRT-LLM before 1.0, where usage on every event was the default
 * (tensorrt_llm/serve/openai_protocol.py StreamOptions); the schemas of vLLM and SGLang know it as well.
 */
const OPTIONS = { include_usage: true, continuous_usage_stats: false };

/** Headers that vouch for the body's bytes: a request with one of them is not ours to change (RFC 9530, RFC 9421). */
const BODY_VOUCHERS = ["content-digest", "repr-digest", "digest", "content-md5", "signature"];

/** A body that asks for usage, and the headers that go with it. */
export interface AskingBody {
  readonly body: Body;
  readonly headers: readonly string[];
}

/** How the body of a streaming request is made to ask for the usage its client did not ask for. */
export class UsageRequest {
  readonly #splice: Splice;
  readonly #hasOptions: boolean;

  constructor(splice: Splice, hasOptions: boolean) {
    this.#splice = splice;
    this.#hasOptions = hasOptions;
  }

  /** What `engine` is sent instead of the held body; `null` when it is to get the client's own bytes. */
  of(held: HeldBody, { usageWhen }: Engine): AskingBody | null {
    if (usageWhen === "unasked" || (usageWhen === "any-options" && this.#hasOptions)) return null;
    const spliced = held.spliced(this.#splice);
    if (spliced === null) return null;
    // Events are taken out of the answer again: it must be readable.
    const headers = ["content-length", String(spliced.bytes), "accept-encoding", "identity"];
    return { body: spliced.body, headers };
  }
}

/**
 * Finds where a streaming chat or text completion says, or leaves out, whether it wants usage; `null` when it asks for it
 * already or must be left alone. No more than that one value is written anew.
 */
export function usageRequest({ route, rawHeaders, peek }: Streaming): UsageRequest | null {
  if (peek?.kind !== "object" || (route !== "chat" && route !== "completions")) return null;
  if (BODY_VOUCHERS.some((name) => headerOf(rawHeaders, name) !== undefined)) return null;
  const { fields, spans, opensAt } = peek;
  const span = spans.get("stream_options");
  const raw = fields.get("stream_options");
  if (span === undefined) {
    const bytes = Buffer.from(`"stream_options":${JSON.stringify(OPTIONS)},`);
    return new UsageRequest({ from: opensAt + 1, to: opensAt + 1, bytes }, false);
  }
  const options = raw === undefined ? undefined : optionsOf(raw);
  // Usage on every event is usage asked for.
  if (options === undefined || options.continuous_usage_stats === true) return null;
  if (options.include_usage !== undefined && options.include_usage !== false) return null;
  const bytes = Buffer.from(JSON.stringify({ ...options, ...OPTIONS }));
  const hasOptions = raw !== "null" && options.include_usage === undefined;
  return new UsageRequest({ ...span, bytes }, hasOptions);
}

/** A request whose body says `"stream": true`. */
export interface Streaming {
  readonly route: InferenceRoute;
  readonly rawHeaders: readonly string[];
  readonly peek: Peek | null;
}

interface StreamOptions {
  readonly include_usage?: unknown;
  readonly continuous_usage_stats?: unknown;
}

/** `undefined` for what no engine takes: it is to say so itself. */
function optionsOf(raw: string): StreamOptions | undefined {
  try {
    const options = JSON.parse(raw) as unknown;
    if (options === null) return {};
    return typeof options === "object" && !Array.isArray(options) ? options : undefined;
  } catch {
    return undefined;
  }
}
