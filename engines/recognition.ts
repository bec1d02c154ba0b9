import type { EngineName, ModelCard, ProbeAnswer, ProbeAnswers, Recognition } from "./engine.ts";
import { type Fields, fieldsOf, listOf, numberOf, parseFields, textOf } from "./json-fields.ts";

/** What `/v1/models` said: ids, lengths, and who claims to own them. */
export interface ModelList {
  readonly models: readonly ModelCard[];
  readonly ownedBy: readonly string[];
}

/** Where every server is asked first. */
export const MODELS_PATH = "/v1/models";

/** The body of an answer as JSON when it was a 200, else `null`. */
export function jsonOf(answer: ProbeAnswer | undefined): Fields | null {
  return answer?.status === 200 ? parseFields(answer.body) : null;
}

/** Reads `/v1/models`; an empty list when it was not answered. Adapters share a card's name only, not its length. */
export function modelList(probe: ProbeAnswers): ModelList {
  const models: ModelCard[] = [];
  const ownedBy: string[] = [];
  for (const card of listOf(jsonOf(probe.get(MODELS_PATH))?.["data"])) {
    const id = textOf(card["id"]);
    if (id === null) continue;
    models.push({ id, maxModelLen: lengthOf(card) });
    const owner = textOf(card["owned_by"]);
    if (owner !== null) ownedBy.push(owner);
  }
  return { models, ownedBy };
}

/** The `version` field of a page, or `null`. */
export function versionOf(probe: ProbeAnswers, ...paths: readonly string[]): string | null {
  for (const path of paths) {
    const version = textOf(jsonOf(probe.get(path))?.["version"]);
    if (version !== null) return version;
  }
  return null;
}

/** How one engine is told by the model list, and by what else it must answer when it is there itself. */
export interface OwnSigns {
  readonly engine: EngineName;
  readonly owners: readonly string[];
  /** Routes of its own, of which every version answers one: 404 at all of them means somebody stands in front. */
  readonly ownPaths: readonly string[];
  readonly version: string | null;
}

/**
 * A recognition by the owner the model list names: the surest sign, since each engine writes its own. A gateway that
 * passes the list on is seen through, and said: what lies behind it is spoken to, its own routes are not relied on.
 */
export function recogniseByOwner(probe: ProbeAnswers, signs: OwnSigns): Recognition | null {
  const { models, ownedBy } = modelList(probe);
  const owner = ownedBy.find((name) => signs.owners.includes(name));
  if (owner === undefined) return null;
  const { engine, version, ownPaths } = signs;
  const told = `/v1/models says owned_by "${owner}"`;
  const stranger = ownedBy.find((name) => !signs.owners.includes(name));
  const mixed =
    stranger === undefined ? "" : ` beside "${stranger}": a gateway in front of several engines`;
  const isMissing = ownPaths.every((path) => probe.get(path)?.status === 404);
  const hidden = isMissing ? `, but ${ownPaths[0]} is not there: a gateway in front of it` : "";
  const direct = mixed === "" && !isMissing;
  const confidence = direct ? 1 : mixed === "" ? 0.8 : 0.4;
  const because = told + (mixed === "" ? hidden : mixed);
  return { engine, confidence, version, models, because, direct, settled: true };
}

/** vLLM and SGLang write `max_model_len`; llama.cpp puts the context of one slot under `meta`. */
function lengthOf(card: Fields): number | null {
  return numberOf(card["max_model_len"]) ?? numberOf(fieldsOf(card["meta"])?.["n_ctx"]);
}
