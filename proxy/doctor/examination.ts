import type { EngineName } from "../../engines/engine.ts";
import type { CountedBy } from "../../engines/exchange.ts";

/** Everything the doctor found out about one URL. `null` is "could not be told". */
export interface Examination {
  readonly url: string;
  /** `ok`: measured through. `failed`: answers, but something must be done first. `unreachable`: nothing answers. */
  readonly state: "ok" | "failed" | "unreachable";
  /** Why it is not `ok`, in one sentence that says what to do. */
  readonly problem: string | null;
  readonly engine: EngineName | null;
  readonly version: string | null;
  /** What gave the engine away. */
  readonly because: string | null;
  readonly models: readonly string[];
  readonly limits: Limits;
  readonly tokens: TokenFacts | null;
  readonly metrics: MetricsFacts | null;
  readonly clock: ClockFacts | null;
  readonly connection: ConnectionFacts | null;
  readonly tls: TlsFacts | null;
  /** One sentence per thing that could be better. */
  readonly advice: readonly string[];
}

export interface Limits {
  /** Longest input + output. */
  readonly sequenceTokensMax: number | null;
  /** Sequences worked on at once. */
  readonly sequencesMax: number | null;
  readonly kvCacheTokens: number | null;
}

/** What two small streamed requests with the same prompt showed. Synthetic; too few to be statistics. */
export interface TokenFacts {
  readonly route: "chat" | "completions";
  readonly countedBy: CountedBy;
  readonly inputTokens: number | null;
  readonly outputTokens: number | null;
  /** Cached input of the second request; `null` when the engine does not say. */
  readonly cachedInputTokens: number | null;
  /** Events that carried output. An event is not a token. */
  readonly outputEvents: number;
  /** Pieces an answer arrived in, and how long it took; of both requests the larger. */
  readonly pieces: number;
  readonly e2eMs: number;
  /** Of the faster of the two. */
  readonly ttftMs: number | null;
  readonly tpotMs: number | null;
}

export interface MetricsFacts {
  readonly path: string;
  /** `null` when it did not answer. */
  readonly status: number | null;
  /** The page was read and held this engine's statistics. */
  readonly isReadable: boolean;
}

/** The server's clock against ours, from its `Date` headers, which tell whole seconds. */
export interface ClockFacts {
  /** Positive: it is ahead of us. */
  readonly aheadMs: number;
  readonly toleranceMs: number;
}

export interface ConnectionFacts {
  /** Name look-up, TCP and, where there is one, the TLS handshake. */
  readonly connectMs: number;
  /** Of a cheap GET on an open connection. */
  readonly ttfbP50Ms: number | null;
  readonly samples: number;
  /** All of them went over one connection. */
  readonly isReused: boolean;
  /** From its `Keep-Alive` header. */
  readonly advertisedIdleMs: number | null;
  /** Silence after which it closed the connection; `null` while it had not. */
  readonly closedAfterMs: number | null;
  /** How long was watched. */
  readonly watchedMs: number;
}

export interface TlsFacts {
  readonly protocol: string;
  readonly cipher: string;
  readonly subject: string;
  readonly issuer: string;
  /** ISO 8601. */
  readonly validTo: string;
  readonly daysLeft: number;
  /** False only where any certificate is taken. */
  readonly isTrusted: boolean;
}

export const NO_LIMITS: Limits = {
  sequenceTokensMax: null,
  sequencesMax: null,
  kvCacheTokens: null,
};
