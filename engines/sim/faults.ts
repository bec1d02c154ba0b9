/** What can be made to go wrong in a simulated engine. Data, so that a script, a flag or a test can say it. */
export type Fault =
  /** Answers every inference request with this status. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfterSeconds?: number }
  /** Ends the connection after so many tokens: `fin` politely, `rst` at once. */
  | { readonly kind: "cut"; readonly afterTokens: number; readonly how: "fin" | "rst" }
  /** Says nothing more after so many tokens, and keeps the connection. */
  | { readonly kind: "stall"; readonly afterTokens: number }
  /** An error event in a stream that began well. */
  | { readonly kind: "error-event"; readonly afterTokens: number }
  /** Bytes that are no answer at all. */
  | { readonly kind: "garbage" }
  | { readonly kind: "no-done" }
  | { readonly kind: "no-usage" }
  /** Usage off by so many tokens. */
  | { readonly kind: "wrong-usage"; readonly offTokens: number }
  /** Waits before the response headers. */
  | { readonly kind: "slow-headers"; readonly delayMs: number }
  /** Goes on generating after the client left. */
  | { readonly kind: "zombie" }
  /** Health, or metrics, never answers. */
  | { readonly kind: "hang"; readonly page: "health" | "metrics" }
  /** Every step takes so many times longer. */
  | { readonly kind: "slow"; readonly factor: number }
  /** The engine loop stands still. */
  | { readonly kind: "freeze" };

export type FaultKind = Fault["kind"];

/** Required numbers and words of each kind, for checking what comes from outside. */
const FIELDS: Readonly<Record<FaultKind, readonly string[]>> = {
  status: ["status"],
  cut: ["afterTokens", "how"],
  stall: ["afterTokens"],
  "error-event": ["afterTokens"],
  garbage: [],
  "no-done": [],
  "no-usage": [],
  "wrong-usage": ["offTokens"],
  "slow-headers": ["delayMs"],
  zombie: [],
  hang: ["page"],
  slow: ["factor"],
  freeze: [],
};

/** A fault description that makes no sense, in one sentence. */
export class FaultError extends Error {
  override readonly name = "FaultError";
}

/**
 * Reads fault descriptions from JSON.
 * @throws {FaultError} naming what is wrong.
 */
export function readFaults(value: unknown): readonly Fault[] {
  if (!Array.isArray(value)) throw new FaultError("faults must be a list of objects with a kind.");
  return value.map((item: unknown) => {
    const fault = (typeof item === "object" && item !== null ? item : {}) as Record<
      string,
      unknown
    >;
    const kind = String(fault["kind"]) as FaultKind;
    const fields = FIELDS[kind];
    if (fields === undefined) {
      throw new FaultError(
        `fault kind "${kind}" is unknown: choose ${Object.keys(FIELDS).join(", ")}.`,
      );
    }
    const missing = fields.find((name) => fault[name] === undefined);
    if (missing !== undefined) throw new FaultError(`fault "${kind}" needs ${missing}.`);
    return fault as unknown as Fault;
  });
}

/** The first fault of a kind, or `null`. */
export function findFault<Kind extends FaultKind>(
  faults: readonly Fault[],
  kind: Kind,
): Extract<Fault, { kind: Kind }> | null {
  return (
    (faults.find((fault) => fault.kind === kind) as Extract<Fault, { kind: Kind }> | undefined) ??
    null
  );
}
