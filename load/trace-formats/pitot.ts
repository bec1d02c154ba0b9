import { type Fields, sessionName, time, tokens, type TraceFormat } from "./format.ts";

/** First line of a recording of ours; readers of later versions can tell. */
export const PITOT_TRACE_HEAD = { pitot: "trace", version: 1 } as const;

/** Last line of one that was ended in order. */
export interface PitotTraceEnd {
  readonly pitot: "trace-end";
  readonly version: 1;
  readonly recorded: number;
  /** Requests not in it, and why: a shape needs both lengths. */
  readonly leftOut: { readonly unfinished: number; readonly uncounted: number };
}

/** A request as `pitot record` writes it. Times in ms since the recording began; no text, no client, no key. */
export interface PitotTraceRow {
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** `null` when the engine did not say. */
  readonly cachedTokens: number | null;
  /** Opaque, salted anew for every recording. */
  readonly session: string | null;
  /** Since the end of the session's turn before. */
  readonly thinkMs: number | null;
}

/** Recordings of real traffic by `pitot record`. */
export const pitot: TraceFormat = {
  name: "pitot",
  title: "pitot record: atMs, inputTokens, outputTokens, cachedTokens, session, thinkMs",
  claims: (first) => first["pitot"] === PITOT_TRACE_HEAD.pitot || "atMs" in first,
  row(fields) {
    if (isHead(fields)) return null;
    return {
      stampMs: time(fields, "atMs"),
      inputTokens: tokens(fields, "inputTokens"),
      outputTokens: tokens(fields, "outputTokens"),
      cachedTokens: optional(fields, "cachedTokens"),
      session: sessionName(fields["session"]),
      thinkMs: optional(fields, "thinkMs"),
    };
  },
};

function isHead(fields: Fields): boolean {
  if (!("pitot" in fields)) return false;
  if (fields["version"] === PITOT_TRACE_HEAD.version) return true;
  throw new Error(`it is of version ${String(fields["version"])}, which a newer Pitot wrote`);
}

function optional(fields: Fields, name: string): number | null {
  const value = fields[name];
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}
