import type { JsonValue } from "../../engine.ts";
import type { CoreStats } from "../engine-core.ts";
import type { LatencyHistograms } from "../latency-histograms.ts";
import type { Persona as PersonaName } from "../profiles.ts";

/** How an engine looks on the wire: routes, frames, metrics and errors, field for field. */
export interface Persona {
  readonly name: PersonaName;
  /** `Server:` response header. */
  readonly server: string;
  readonly chat: Frames;
  readonly completions: Frames;
  /** Whether a stream ends with usage, given the request's options. */
  wantsUsage(options: StreamOptions | null): boolean;
  /** Response headers go out with the first token instead of on acceptance. */
  readonly headersWithFirstToken: boolean;
  /** How long the engine works on after its client left: it polls. */
  readonly abortAfterMs: { readonly streamed: number; readonly whole: number };
  /** Extra headers of an event stream. */
  readonly streamHeaders: Readonly<Record<string, string>>;
  /** Unknown model names are a 404 instead of being taken as they come. */
  readonly checksModel: boolean;
  /** Request fields beyond these are a 400; `null` takes anything. */
  readonly strictFields: ReadonlySet<string> | null;
  error(status: number, message: string, param: string | null): JsonValue;
  /** Answers of the GET routes, by path. */
  pages(site: Site): Readonly<Record<string, () => Page>>;
}

export interface StreamOptions {
  readonly include_usage?: boolean;
  readonly continuous_usage_stats?: boolean;
}

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** What the pages of a running engine are made of. */
export interface Site {
  readonly model: string;
  readonly contextTokens: number;
  readonly nowSeconds: () => number;
  readonly stats: () => CoreStats;
  readonly latency: LatencyHistograms;
  readonly kvBlocks: number;
  readonly blockTokens: number;
  readonly sequencesMax: number;
}

/** One answer being written. */
export interface Answer {
  readonly id: string;
  readonly model: string;
  /** Unix seconds. */
  readonly created: number;
}

export interface Counts {
  readonly input: number;
  readonly output: number;
  readonly cached: number;
}

/** The frames of one endpoint. Each function returns whole events, blank line included. */
export interface Frames {
  /** Before the first text; empty where the engine sends none. */
  open(answer: Answer): string;
  token(answer: Answer, text: string, usage: Counts | null): string;
  /** The last text and the reason it stopped. */
  last(answer: Answer, text: string, reason: string, usage: Counts | null): string;
  usage(answer: Answer, counts: Counts): string;
  readonly end: string;
  /** The same answer unstreamed. */
  whole(answer: Answer, text: string, reason: string, counts: Counts): JsonValue;
}

export function event(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

export const DONE = "data: [DONE]\n\n";

export function jsonPage(value: unknown, status = 200): Page {
  return { status, type: "application/json", body: JSON.stringify(value) };
}

export function textPage(body: string, type = "text/plain; charset=utf-8"): Page {
  return { status: 200, type, body };
}

/** Usage as OpenAI writes it; `cached` appears where the engine reports it. */
export function usageOf(counts: Counts): {
  prompt_tokens: number;
  total_tokens: number;
  completion_tokens: number;
} {
  return {
    prompt_tokens: counts.input,
    total_tokens: counts.input + counts.output,
    completion_tokens: counts.output,
  };
}
