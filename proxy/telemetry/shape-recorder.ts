import { createHash, randomBytes } from "node:crypto";
import type { Exchange } from "../../engines/exchange.ts";
import type { PitotTraceEnd, PitotTraceRow } from "../../load/trace-formats/pitot.ts";

/** Sessions whose last turn is remembered, for the pause before the next; the oldest are forgotten first. */
const SESSIONS_MAX = 10_000;
/** Characters of a session's digest: enough to tell a million apart, too few to look anything up by. */
const SESSION_DIGITS = 12;

/**
 * Turns real exchanges into shapes: when, how long, how much of it cached, which conversation. No text, no client, no key;
 * session names become digests under a salt that is thrown away with the recording.
 */
export class ShapeRecorder {
  readonly #startedMs: number;
  readonly #emit: (row: PitotTraceRow) => void;
  readonly #salt = randomBytes(16);
  readonly #lastEndMs = new Map<string, number>();
  #recorded = 0;
  #unfinished = 0;
  #uncounted = 0;

  constructor(startedMs: number, emit: (row: PitotTraceRow) => void) {
    this.#startedMs = startedMs;
    this.#emit = emit;
  }

  ended(exchange: Exchange): void {
    const { origin, outcome, tokens, times, route } = exchange;
    if (origin !== "real" || !isGeneration(route)) return;
    // A request that began before the recording would come before its beginning.
    if (times.startedMs < this.#startedMs) return;
    if (outcome.kind !== "completed") this.#unfinished++;
    else if (tokens.input === null || tokens.output === null) this.#uncounted++;
    else this.#record(exchange, tokens.input, tokens.output);
  }

  end(): PitotTraceEnd {
    const leftOut = { unfinished: this.#unfinished, uncounted: this.#uncounted };
    return { pitot: "trace-end", version: 1, recorded: this.#recorded, leftOut };
  }

  #record(exchange: Exchange, inputTokens: number, outputTokens: number): void {
    const { times, tokens } = exchange;
    const session = exchange.session === null ? null : this.#digest(exchange.session);
    const before = session === null ? undefined : this.#lastEndMs.get(session);
    const thinkMs = before === undefined ? null : Math.max(0, times.startedMs - before);
    if (session !== null) this.#remember(session, times.endedMs);
    this.#recorded++;
    this.#emit({
      atMs: round(times.startedMs - this.#startedMs),
      inputTokens,
      outputTokens,
      cachedTokens: tokens.cachedInput,
      session,
      thinkMs: thinkMs === null ? null : round(thinkMs),
    });
  }

  #remember(session: string, endedMs: number): void {
    this.#lastEndMs.delete(session);
    this.#lastEndMs.set(session, endedMs);
    if (this.#lastEndMs.size <= SESSIONS_MAX) return;
    const [oldest] = this.#lastEndMs.keys();
    if (oldest !== undefined) this.#lastEndMs.delete(oldest);
  }

  #digest(session: string): string {
    return createHash("sha256")
      .update(this.#salt)
      .update(session)
      .digest("hex")
      .slice(0, SESSION_DIGITS);
  }
}

function isGeneration(route: Exchange["route"]): boolean {
  return (
    route === "chat" || route === "completions" || route === "responses" || route === "messages"
  );
}

/** Microseconds are below what any clock of the path can tell. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
