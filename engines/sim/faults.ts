/** Which requests a fault meets; all of them when nothing is said. */
export interface FaultScope {
  /** Chance of each request to meet it, above 0 up to 1. */
  readonly share?: number;
  /** Only so many requests meet it, counted from when it was switched on. */
  readonly first?: number;
  /** Only requests whose path contains this, such as `chat` or `/v1/embeddings`. */
  readonly route?: string;
}

/** How long a fault lasts; until it is switched off when nothing is said. */
export interface FaultTime {
  readonly forSeconds?: number;
}

/** What can go wrong with one answer. */
export type RequestFault = FaultScope &
  FaultTime &
  (
    | { readonly kind: "status"; readonly status: number; readonly retryAfterSeconds?: number }
    | { readonly kind: "queue-full" }
    | { readonly kind: "cut"; readonly afterTokens: number; readonly how: "fin" | "rst" }
    | { readonly kind: "stall"; readonly afterTokens: number }
    | { readonly kind: "error-event"; readonly afterTokens: number }
    | { readonly kind: "garbage"; readonly afterTokens?: number }
    | { readonly kind: "no-done" }
    | { readonly kind: "no-usage" }
    | { readonly kind: "wrong-usage"; readonly offTokens: number }
    | { readonly kind: "slow-headers"; readonly delayMs: number }
    | { readonly kind: "zombie" }
  );

/** What can go wrong with the whole engine. */
export type EngineFault = FaultTime &
  (
    | { readonly kind: "refuse" }
    | { readonly kind: "slow-accept"; readonly delayMs: number }
    | { readonly kind: "hang"; readonly page: "health" | "metrics"; readonly forMs?: number }
    | { readonly kind: "stale-metrics" }
    | { readonly kind: "slow"; readonly factor: number }
    | { readonly kind: "freeze" }
    | { readonly kind: "memory-full"; readonly leaveBlocks?: number }
    | { readonly kind: "restart"; readonly downSeconds: number }
  );

/** What can be made to go wrong in a simulated engine. Data, so that a script, a flag or a test can say it. */
export type Fault = RequestFault | EngineFault;
export type FaultKind = Fault["kind"];
export type FaultOf<Kind extends FaultKind> = Extract<Fault, { kind: Kind }>;

/** How a field of a fault is checked and shown. */
type Field = { readonly optional?: true } & (
  | { readonly one: readonly string[] }
  | { readonly text: true }
  | { readonly min: number; readonly max: number; readonly whole?: true }
);

interface KindFacts {
  readonly says: string;
  /** Meets single requests, so it takes a {@link FaultScope}. */
  readonly perRequest: boolean;
  readonly fields: Readonly<Record<string, Field>>;
}

const DAY_MS = 86_400_000;
const TOKENS = { min: 0, max: 10_000_000, whole: true } as const;
const MS = { min: 0, max: DAY_MS } as const;

const SCOPE: Readonly<Record<string, Field>> = {
  share: { min: 0.000_001, max: 1, optional: true },
  first: { min: 1, max: 1e9, whole: true, optional: true },
  route: { text: true, optional: true },
};
const TIME: Readonly<Record<string, Field>> = {
  forSeconds: { min: 0.001, max: 86_400, optional: true },
};

const request = (says: string, fields: KindFacts["fields"] = {}): KindFacts => ({
  says,
  perRequest: true,
  fields,
});
const engine = (says: string, fields: KindFacts["fields"] = {}): KindFacts => ({
  says,
  perRequest: false,
  fields,
});

/** Every kind: what it does, and its fields. Checking, help and README follow this table. */
export const faultKinds: Readonly<Record<FaultKind, KindFacts>> = {
  status: request("answers with this status instead, with Retry-After when given", {
    status: { min: 400, max: 599, whole: true },
    retryAfterSeconds: { min: 0, max: 86_400, optional: true },
  }),
  "queue-full": request("says that its queue is full, where SGLang says it: inside a stream's 200"),
  cut: request("ends the connection after so many tokens: fin politely, rst at once", {
    afterTokens: TOKENS,
    how: { one: ["fin", "rst"] },
  }),
  stall: request("says nothing more after so many tokens and keeps the connection", {
    afterTokens: TOKENS,
  }),
  "error-event": request("sends the engine's error event after so many tokens, inside a 200", {
    afterTokens: TOKENS,
  }),
  garbage: request("sends bytes that are no answer, at once or after so many tokens", {
    afterTokens: { ...TOKENS, optional: true },
  }),
  "no-done": request("ends a stream without its end mark"),
  "no-usage": request("leaves the usage out"),
  "wrong-usage": request("reports so many output tokens too many", {
    offTokens: { min: -1e6, max: 1e6, whole: true },
  }),
  "slow-headers": request("waits before the response headers", { delayMs: MS }),
  zombie: request("goes on generating after the client left"),
  refuse: engine("refuses new connections"),
  "slow-accept": engine("takes connections but looks at each only after a while", { delayMs: MS }),
  hang: engine("health or metrics does not answer, or only after a while", {
    page: { one: ["health", "metrics"] },
    forMs: { ...MS, optional: true },
  }),
  "stale-metrics": engine("metrics and load pages keep what they showed when this began"),
  slow: engine("every step takes so many times longer", { factor: { min: 0.01, max: 10_000 } }),
  freeze: engine("the engine's loop stands still"),
  "memory-full": engine("the KV cache has no more than so many free blocks", {
    leaveBlocks: { ...TOKENS, optional: true },
  }),
  restart: engine("cuts everything, is gone for so long, then boots with zeroed counters", {
    downSeconds: { min: 0, max: 86_400 },
  }),
};

/** A fault description that makes no sense, in one sentence. */
export class FaultError extends Error {
  override readonly name = "FaultError";
}

/** Most faults at once: more is a mistake in a script, not a scenario. */
const FAULTS_MAX = 64;

/**
 * Reads a list of faults from JSON.
 * @throws {FaultError} naming what is wrong and what would be right.
 */
export function readFaults(value: unknown): readonly Fault[] {
  if (!Array.isArray(value))
    throw new FaultError('faults must be a list, such as [{"kind":"slow","factor":3}].');
  if (value.length > FAULTS_MAX)
    throw new FaultError(
      `${value.length} faults at once are too many: give at most ${FAULTS_MAX}.`,
    );
  return value.map(readFault);
}

/**
 * Reads a fault as a flag says it: `kind` or `kind:field=value,field=value`, or the JSON object itself.
 * @throws {FaultError}
 */
export function parseFault(text: string): Fault {
  if (text.trimStart().startsWith("{")) {
    try {
      return readFault(JSON.parse(text));
    } catch (error) {
      if (error instanceof FaultError) throw error;
      throw new FaultError(`fault ${text} is not valid JSON.`);
    }
  }
  const [kind, rest = ""] = splitOnce(text.trim(), ":");
  const fault: Record<string, unknown> = { kind };
  for (const pair of rest === "" ? [] : rest.split(",")) {
    const [name, value] = splitOnce(pair.trim(), "=");
    if (value === undefined || name === "")
      throw new FaultError(`"${pair}" of fault "${text}" is not field=value.`);
    fault[name] = value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
  }
  return readFault(fault);
}

function readFault(value: unknown): Fault {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new FaultError(`a fault must be an object with a kind, got ${JSON.stringify(value)}.`);
  const fault = value as Readonly<Record<string, unknown>>;
  const kind = (typeof fault["kind"] === "string" ? fault["kind"] : "") as FaultKind;
  if (!Object.hasOwn(faultKinds, kind))
    throw new FaultError(
      `fault kind "${kind}" is unknown: choose ${Object.keys(faultKinds).join(", ")}.`,
    );
  const { fields } = faultKinds[kind];
  const known = knownFields(kind);
  for (const [name, given] of Object.entries(fault)) {
    if (name === "kind") continue;
    if (!Object.hasOwn(known, name)) throw new FaultError(strangerSentence(kind, name));
    const wrong = wrongWith(known[name], given);
    if (wrong !== null)
      throw new FaultError(
        `fault "${kind}": ${name} must be ${wrong}, got ${JSON.stringify(given)}.`,
      );
  }
  const missing = Object.keys(fields).find(
    (name) => fields[name]?.optional !== true && fault[name] === undefined,
  );
  if (missing !== undefined)
    throw new FaultError(`fault "${kind}" needs ${missing}: ${faultKinds[kind].says}.`);
  return fault as unknown as Fault;
}

function strangerSentence(kind: FaultKind, name: string): string {
  if (!faultKinds[kind].perRequest && Object.hasOwn(SCOPE, name))
    return `fault "${kind}" is of the whole engine: it takes no ${name}.`;
  return `fault "${kind}" has no field ${name}: choose ${Object.keys(knownFields(kind)).join(", ")}.`;
}

function knownFields(kind: FaultKind): Readonly<Record<string, Field>> {
  const { fields, perRequest } = faultKinds[kind];
  return { ...fields, ...(perRequest ? SCOPE : {}), ...TIME };
}

/** What the field must be, or `null` when the value is right. */
function wrongWith(field: Field | undefined, value: unknown): string | null {
  if (field === undefined) return null;
  if ("one" in field)
    return typeof value === "string" && field.one.includes(value) ? null : field.one.join(" or ");
  if ("text" in field) return typeof value === "string" && value !== "" ? null : "a text";
  const right =
    typeof value === "number" &&
    value >= field.min &&
    value <= field.max &&
    (field.whole !== true || Number.isInteger(value));
  return right
    ? null
    : `a ${field.whole === true ? "whole " : ""}number from ${field.min} to ${field.max}`;
}

function splitOnce(text: string, mark: string): [string, string | undefined] {
  const at = text.indexOf(mark);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The first fault of a kind, or `null`. */
export function findFault<Kind extends FaultKind>(
  faults: readonly Fault[],
  kind: Kind,
): FaultOf<Kind> | null {
  return (faults.find((fault) => fault.kind === kind) as FaultOf<Kind> | undefined) ?? null;
}

/** One line per kind for `--help`: `cut:afterTokens=,how=fin|rst  ends …`. */
export function faultHelp(): string {
  return Object.entries(faultKinds)
    .map(([kind, { fields, says }]) => {
      const shown = Object.entries(fields).map(([name, field]) => {
        const text = "one" in field ? `${name}=${field.one.join("|")}` : `${name}=`;
        return field.optional === true ? `[${text}]` : text;
      });
      const call = shown.length === 0 ? kind : `${kind}:${shown.join(",")}`;
      return `  ${call.padEnd(44)} ${says}`;
    })
    .join("\n");
}
