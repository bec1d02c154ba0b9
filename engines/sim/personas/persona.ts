import type { IncomingHttpHeaders } from "node:http";
import type { JsonObject, JsonValue } from "../../engine.ts";
import type { Books } from "../books.ts";
import type { CoreStats } from "../engine-core.ts";
import type { Persona as PersonaName } from "../profiles.ts";
import type { Vocabulary } from "../text.ts";
import type { Answer, AnswerWriter } from "./answer-writer.ts";

/** How an engine looks on the wire: routes, frames, metrics and errors, field for field. */
export interface Persona {
  readonly name: PersonaName;
  /** `Server:` response header. */
  readonly server: string;
  /** Generating routes, by path. */
  readonly inference: Readonly<Record<string, Inference>>;
  /** Routes that read whole texts, by path: embeddings, scores, ranks. */
  readonly pooling: Readonly<Record<string, Pooling>>;
  /** Everything else, by method and path: `GET /health`. */
  pages(site: Site): Readonly<Record<string, PageHandler>>;
  /** Whether a stream ends with usage, given the request's options. */
  wantsUsage(options: StreamOptions | null): boolean;
  /** Whether usage may ride on every frame, given that `continuous_usage_stats` is asked for. */
  continuousUsage(options: StreamOptions): boolean;
  /** `created` is the time of each frame, not of the answer. */
  readonly stampsFrames: boolean;
  /** Usage is of one choice, where others add up all. */
  readonly countsPerChoice: boolean;
  /** A full queue is told inside a stream's 200 instead of by its status. */
  readonly overloadInStream: boolean;
  /** When response headers of a stream go out. */
  readonly headers: "accepted" | "scheduled" | "first-token";
  /** How long the engine works on after its client left: it polls. */
  readonly abortAfterMs: { readonly streamed: number; readonly whole: number };
  /** Extra headers of an event stream. */
  readonly streamHeaders: Readonly<Record<string, string>>;
  /** Silence after which a comment is sent; `null` where none is. */
  readonly pingAfterMs: number | null;
  /** A token without text (half a character) still makes a frame. */
  readonly framesEmptyText: boolean;
  /** What a slow reader has not taken yet is merged into one frame. */
  readonly coalesces: boolean;
  /** Unknown model names are a 404 instead of being taken as they come. */
  readonly checksModel: boolean;
  /** Request fields beyond these are a 400; `null` takes anything. */
  readonly strictFields: ReadonlySet<string> | null;
  /** `stream_options` without `stream` is a 400. */
  readonly checksStreamOptions: boolean;
  /** A body that does not call itself JSON is a 400. */
  readonly checksContentType: boolean;
  /** The refusal of a request that does not fit the context, or `null` when the engine takes it. */
  contextRefusal(facts: ContextFacts): Pick<Refusal, "message" | "param"> | null;
  /** Extra headers of an answer that was not streamed. */
  wholeHeaders?(asked: IncomingHttpHeaders, stats: CoreStats): Readonly<Record<string, string>>;
  /** Request headers with which the engine goes on after its client left. */
  survivesHangUp?(asked: IncomingHttpHeaders): boolean;
  readonly requestId: RequestIdRule;
  /** How long gauges on its pages lag behind its scheduler. */
  readonly gauges: "live" | "forty-decodes" | "finish";
  readonly connections: {
    readonly idleMs: number;
    /** Requests after which a connection is closed; `null` for no limit. */
    readonly requestsMax: number | null;
    /** Value of its `Keep-Alive` header; `null` where it sends none. */
    readonly keepAlive: string | null;
    readonly sendsDate: boolean;
  };
  readonly boot: {
    /** Answers 503 while loading instead of refusing connections. */
    readonly listensWhileLoading: boolean;
    /** Share of the boot in which it answers, but is not healthy yet. */
    readonly warmUpShare: number;
  };
  /** What its own key check looks like; `null` where it has none. */
  readonly auth: Auth | null;
  /** Borders of its histograms, seconds or tokens. */
  readonly borders: Borders;
  refuse(refusal: Refusal): JsonValue;
}

export interface Inference {
  readonly dialect: Dialect;
  /** Before the id of an answer. */
  readonly idPrefix: string;
  /** On which frames a writer wants counts: those the client asked for, the last, or every one. */
  readonly counts: "asked" | "finish" | "always";
  writer(answer: Answer): AnswerWriter;
  /** The route's own shape of a refusal, where it differs from the engine's. */
  refuse?(refusal: Refusal): JsonValue;
}

/** Sizes of a request beside the context they must fit, tokens. */
export interface ContextFacts {
  readonly input: number;
  readonly output: number;
  readonly context: number;
}

/** How a generating request is written: which fields hold prompt, bounds and wishes. */
export type Dialect = "chat" | "completions" | "responses" | "messages" | "generate" | "native";

/** A request answered from one pass over its texts. */
export interface Pooling {
  /** The texts of a request; throws `BodyError` when it has none. */
  texts(body: JsonObject): readonly PoolingText[];
  answer(body: JsonObject, read: PoolingRead): JsonValue;
  /** Off in the real engine until switched on: then this is the refusal. */
  readonly needs: Refusal | null;
}

/** One text to read whole: as text, or as token ids. */
export type PoolingText = string | readonly number[];

export interface PoolingRead {
  readonly id: string;
  readonly model: string;
  readonly created: number;
  readonly tokens: readonly number[];
  /** Unit vector of text `index`. */
  vector(index: number, dimensions: number): readonly number[];
  /** Likeness of two texts, 0 … 1. */
  score(a: number, b: number): number;
}

export interface RequestIdRule {
  /** Request header whose value becomes the answer's id. */
  readonly header: string | null;
  /** Body field with the same power. */
  readonly field: string | null;
}

export interface Auth {
  guards(path: string): boolean;
  /** Also takes the key from `X-Api-Key`. */
  readonly xApiKey: boolean;
}

export interface Borders {
  readonly ttft: readonly number[];
  readonly interToken: readonly number[];
  /** One sample per step of the engine, or one per token. */
  readonly interTokenPer: "step" | "token";
  readonly tpot: readonly number[];
  readonly endToEnd: readonly number[];
  readonly queue: readonly number[];
  readonly prefill: readonly number[];
  readonly phase: readonly number[];
  readonly tokens: readonly number[];
}

/** Why a request is not done; each engine has its own status line and shape for it. */
export interface Refusal {
  readonly kind:
    | "invalid"
    | "unfit"
    | "strange-field"
    | "context"
    | "model"
    | "key"
    | "not-found"
    | "method"
    | "unavailable"
    | "loading"
    | "unsupported"
    | "fault";
  readonly status: number;
  readonly message: string;
  readonly param: string | null;
  /** Of a prompt that is too long. */
  readonly promptTokens?: number;
  readonly contextTokens?: number;
}

export interface StreamOptions {
  readonly include_usage?: boolean;
  readonly continuous_usage_stats?: boolean;
}

export interface Page {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What a page was asked with. */
export interface PageAsk {
  readonly query: URLSearchParams;
  /** The JSON body of a POST; empty when there was none. */
  readonly body: JsonObject;
}

export type PageHandler = (ask: PageAsk) => Page | Promise<Page>;

/** What the pages of a running engine are made of. */
export interface Site {
  readonly model: string;
  readonly gpu: string;
  readonly tp: number;
  readonly contextTokens: number;
  readonly vocabulary: Vocabulary;
  readonly nowSeconds: () => number;
  /** Unix seconds this life of the engine began at. */
  readonly startedSeconds: number;
  /** Of this moment. */
  readonly stats: () => CoreStats;
  readonly books: Books;
  readonly kvBlocks: number;
  readonly blockTokens: number;
  readonly sequencesMax: number;
  readonly stepTokensMax: number;
  readonly weightBytes: number;
  /** Tokens a draft model proposes a step; 0 without one. */
  readonly drafts: number;
  /** Routes the real engine keeps off by default are on. */
  readonly allRoutes: boolean;
  readonly phase: () => "loading" | "warming" | "ready";
  /** Ids a chat's messages come to under the template. */
  chatIds(body: JsonObject): readonly number[];
  /** Slots: what each running request is at. */
  readonly slots: () => readonly SlotView[];
  readonly after: (ms: number) => Promise<void>;
  /** Generates one token; resolves when it is there, or `false` after so long. */
  probe(limitMs: number): Promise<boolean>;
  clearPrefixCache(): void;
  abortAll(): number;
}

export interface SlotView {
  readonly id: string;
  /** It has left the queue. */
  readonly running: boolean;
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly promptDone: number;
  readonly outputTokens: number;
  readonly outputTokensMax: number;
}
