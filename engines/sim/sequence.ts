import type { Allocation } from "./kv-cache.ts";

/** What is asked of the simulated engine. */
export interface SimRequest {
  readonly id: string;
  /** Token ids of the whole prompt, template included. */
  readonly promptIds: ArrayLike<number>;
  /** Output tokens it will produce before it stops by itself or is stopped. */
  readonly outputTokens: number;
  /** Upper bound the client allowed: what a no-eviction scheduler must reserve. */
  readonly outputTokensMax: number;
  /** Chat requests pay for template and parsers before the scheduler sees them. */
  readonly apiMs: number;
}

/** Told what became of a request. Called by the engine loop; must not throw. */
export interface SimSink {
  /** Its first step began: it left the queue. */
  scheduled?(atMs: number): void;
  /** So many prompt tokens are in the cache; the last call comes just before the first token. */
  prefilled?(computed: number, atMs: number): void;
  /** `count` more tokens exist, `total` so far, as of `atMs` on the engine's clock. */
  tokens(count: number, total: number, atMs: number): void;
  /** The last token exists. */
  finished(atMs: number): void;
  /** It will produce nothing more and did not finish. */
  failed(reason: string): void;
}

/** One request inside the engine. */
export class Sequence {
  readonly request: SimRequest;
  readonly sink: SimSink;
  readonly arrivedMs: number;
  readonly hashes: readonly number[];
  readonly promptTokens: number;
  /** Tokens whose keys and values are in the cache. */
  computed = 0;
  generated = 0;
  allocation: Allocation | null = null;
  /** Prompt tokens found in the prefix cache at first admission. */
  cachedTokens = 0;
  /** When its first step began. */
  scheduledMs: number | null = null;
  preemptions = 0;
  gone = false;

  constructor(request: SimRequest, sink: SimSink, arrivedMs: number, hashes: readonly number[]) {
    this.request = request;
    this.sink = sink;
    this.arrivedMs = arrivedMs;
    this.hashes = hashes;
    this.promptTokens = request.promptIds.length;
  }

  /** Tokens that must be in the cache to sample the next one: the prompt, and after a preemption what it had produced. */
  get needed(): number {
    return this.promptTokens + this.generated;
  }

  /** All but its newest token is in the cache: one step gives the next. */
  get decoding(): boolean {
    return this.generated > 0 && this.computed >= this.needed - 1;
  }
}
