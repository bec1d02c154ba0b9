import type { Engine, JsonObject } from "../../engines/engine.ts";
import { seededRandom } from "../../engines/random.ts";
import { calibrate, chatTextMaterial, ESTIMATE } from "./chat-text.ts";
import type { Material } from "./material.ts";
import { tokenIdMaterial } from "./token-ids.ts";
import { shortWords, words } from "./words.ts";

/** One POST to the engine that will be measured. Rejects when nothing answers. */
export type Post = (
  path: string,
  body: JsonObject,
) => Promise<{ readonly status: number; readonly body: string }>;

export interface ChooseOptions {
  readonly engine: Engine;
  readonly model: string;
  /** The engine's own routes answer, its tokenizer among them. */
  readonly direct: boolean;
  readonly post: Post;
  /** `auto` takes the most exact one that works. */
  readonly wanted: "auto" | "ids" | "random-ids" | "text";
  readonly maxTokens: number | null;
}

/** A way to make prompts that was asked for and does not work here. */
export class MaterialError extends Error {
  override readonly name = "MaterialError";
}

const CORPUS_WORDS = 6_000;
const PROBE_TOKENS = 64;
/** Begin marks an engine may add to a list of ids. */
const ADDED_MAX = 2;
/** Chat prompts the calibration is fitted to; the last is cut to what the model takes. */
const PROBE_WORDS = [64, 512, 2_048];
/** Ids every vocabulary of thirty thousand or more has, clear of its special ones. */
const RANDOM_IDS = Array.from({ length: 20_000 }, (_, index) => 1_000 + index);

/**
 * Finds the most exact way to make prompts of a given length that works with this engine: its own token ids, then text
 * calibrated by its counts, then an estimate.
 * @throws {MaterialError} when the way asked for does not work.
 */
export async function chooseMaterial(options: ChooseOptions): Promise<Material> {
  const { wanted, engine } = options;
  if (wanted !== "text") {
    const ids = await byTokenIds(options);
    if (ids !== null) return ids;
    if (wanted !== "auto") {
      throw new MaterialError(
        `prompts as token ids do not work with this ${engine.name}: leave --prompts at auto, or say text.`,
      );
    }
  }
  const probes: { words: number; tokens: number }[] = [];
  for (const count of PROBE_WORDS) {
    if (options.maxTokens !== null && count * 2 > options.maxTokens) continue;
    const content = shortWords(seededRandom(count), count);
    const tokens = await countedBy(options, "/v1/chat/completions", {
      messages: [{ role: "user", content }],
    });
    if (tokens !== null) probes.push({ words: count, tokens });
  }
  const calibration = calibrate(probes);
  return calibration === null
    ? chatTextMaterial("estimated-text", ESTIMATE)
    : chatTextMaterial("calibrated-text", calibration);
}

async function byTokenIds(options: ChooseOptions): Promise<Material | null> {
  const { engine, wanted } = options;
  const { promptOfTokens } = engine;
  if (promptOfTokens === null) return null;
  const kind = wanted === "random-ids" ? "random-ids" : "token-ids";
  const corpus = kind === "random-ids" ? RANDOM_IDS : await corpusIds(options);
  if (corpus === null) return null;
  const sent = corpus.slice(0, PROBE_TOKENS);
  const counted = await countedBy(options, "/v1/completions", promptOfTokens(sent));
  if (counted === null) return null;
  const addedTokens = counted - sent.length;
  if (addedTokens < 0 || addedTokens > ADDED_MAX) return null;
  return tokenIdMaterial({ corpus, kind, promptOfTokens, addedTokens });
}

/** Token ids of a few thousand words of prose, by the engine's own tokenizer. */
async function corpusIds({
  engine,
  model,
  direct,
  post,
}: ChooseOptions): Promise<readonly number[] | null> {
  const call = engine.tokenizer?.tokenize;
  if (call === undefined || !direct) return null;
  const text = words(seededRandom(1), CORPUS_WORDS);
  const answer = await post(call.path, call.request(text, model));
  const ids = answer.status === 200 ? call.read(answer.body) : null;
  return ids === null || ids.length < PROBE_TOKENS ? null : ids;
}

/** Prompt tokens the engine counts for a request of one output token; `null` when it refuses or does not say. */
async function countedBy(
  { engine, model, post }: ChooseOptions,
  path: string,
  body: JsonObject,
): Promise<number | null> {
  const answer = await post(path, { model, ...body, max_tokens: 1 });
  if (answer.status !== 200) return null;
  const route = path.includes("chat") ? "chat" : "completions";
  return engine.readAnswer(answer.body, route).usage?.inputTokens ?? null;
}
