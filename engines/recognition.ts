import type { EngineName, ModelCard, ProbeAnswer, ProbeAnswers, Recognition } from "./engine.ts";

/** What `/v1/models` said: ids, lengths, and who claims to own them. */
export interface ModelList {
  readonly models: readonly ModelCard[];
  readonly ownedBy: readonly string[];
}

/** The body of an answer as JSON when it was a 200, else `null`. */
export function jsonOf(answer: ProbeAnswer | undefined): Record<string, unknown> | null {
  if (answer === undefined || answer.status !== 200) return null;
  try {
    const value: unknown = JSON.parse(answer.body);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** Reads `/v1/models`; an empty list when it was not answered. */
export function modelList(probe: ProbeAnswers): ModelList {
  const data = jsonOf(probe.get("/v1/models"))?.["data"];
  const cards = Array.isArray(data) ? (data as readonly Record<string, unknown>[]) : [];
  const models: ModelCard[] = [];
  const ownedBy: string[] = [];
  for (const card of cards) {
    if (typeof card?.["id"] !== "string") continue;
    models.push({ id: card["id"], maxModelLen: lengthOf(card) });
    if (typeof card["owned_by"] === "string") ownedBy.push(card["owned_by"]);
  }
  return { models, ownedBy };
}

/** The `version` field of `/version`, or `null`. */
export function versionOf(probe: ProbeAnswers): string | null {
  const version = jsonOf(probe.get("/version"))?.["version"];
  return typeof version === "string" ? version : null;
}

/** A recognition by the owner the model list names: the surest sign, since each engine writes its own. */
export function recogniseByOwner(
  probe: ProbeAnswers,
  engine: EngineName,
  owners: readonly string[],
): Recognition | null {
  const { models, ownedBy } = modelList(probe);
  const owner = ownedBy.find((name) => owners.includes(name));
  if (owner === undefined) return null;
  const because = `/v1/models says owned_by "${owner}"`;
  return { engine, confidence: 1, version: versionOf(probe), models, because };
}

/** vLLM and SGLang write `max_model_len`; llama.cpp puts the context of one slot under `meta`. */
function lengthOf(card: Record<string, unknown>): number | null {
  const meta = card["meta"] as Record<string, unknown> | null | undefined;
  const length = card["max_model_len"] ?? meta?.["n_ctx"];
  return typeof length === "number" ? length : null;
}
