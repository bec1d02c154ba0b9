import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { JsonObject } from "../engine.ts";
import { forkRandom, normal } from "../random.ts";
import { BodyError } from "./body-error.ts";
import { findFault } from "./faults.ts";
import { FIXED_CREATED, parseObject, stableId } from "./inference-body.ts";
import type { DeskOptions } from "./inference-desk.ts";
import { contentTypeRefusal, misbehaves } from "./refusals.ts";
import { readBody, sendJson } from "./json-answer.ts";
import type { Pooling, PoolingRead, PoolingText, Refusal } from "./personas/persona.ts";
import { hashText, tokenize } from "./text.ts";

/**
 * Answers what takes one pass over whole texts: embeddings, scores, ranks. Each text is a request to the core that ends
 * with its prefill; vectors and scores depend on the texts alone, and equal texts are most alike.
 */
export class PoolingDesk {
  readonly #options: DeskOptions;
  readonly #allRoutes: boolean;

  constructor(options: DeskOptions, { allRoutes }: { readonly allRoutes: boolean }) {
    this.#options = options;
    this.#allRoutes = allRoutes;
  }

  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    { path, pooling }: { readonly path: string; readonly pooling: Pooling },
  ): Promise<void> {
    const { persona, faults, clock } = this.#options;
    const met = faults.meeting(path);
    const receivedMs = clock.nowMs();
    try {
      const text = await readBody(request);
      const body = parseObject(text);
      const refusal = this.#refusalOf(request, pooling, body);
      if (refusal !== null) return sendJson(response, refusal.status, persona.refuse(refusal));
      if (misbehaves(response, met, persona, false)) return;
      const headers = findFault(met, "slow-headers");
      if (headers !== null) await clock.after(headers.delayMs);
      await this.#read({ body, pooling, path, response, receivedMs });
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      const { message, param } = error;
      sendJson(response, 400, persona.refuse({ kind: "invalid", status: 400, message, param }));
    }
  }

  #refusalOf(request: IncomingMessage, pooling: Pooling, body: JsonObject): Refusal | null {
    const { persona, model } = this.#options;
    if (pooling.needs !== null && !this.#allRoutes) return pooling.needs;
    const asked = body["model"];
    if (persona.checksModel && typeof asked === "string" && asked !== "" && asked !== model) {
      const message = `The model \`${asked}\` does not exist.`;
      return { kind: "model", status: 404, message, param: "model" };
    }
    return contentTypeRefusal(persona, request);
  }

  async #read(ask: {
    readonly body: JsonObject;
    readonly pooling: Pooling;
    readonly path: string;
    readonly response: ServerResponse;
    readonly receivedMs: number;
  }): Promise<void> {
    const { built, ledger, clock, persona, model, fixedIds } = this.#options;
    const texts = ask.pooling.texts(ask.body);
    const prompts = texts.map((text) => (typeof text === "string" ? tokenize(text) : text));
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    const { contextTokens } = built.facts;
    const wrong = persona.contextRefusal({ input: longest, output: 0, context: contextTokens });
    if (wrong !== null) {
      const facts = { promptTokens: longest, contextTokens };
      const refusal = { kind: "context", status: 400, ...wrong, ...facts } as const;
      return sendJson(ask.response, 400, persona.refuse(refusal));
    }
    const key = hashText(JSON.stringify(texts));
    const id = fixedIds ? stableId(String(key)) : randomUUID().replaceAll("-", "");
    const row = ledger.open({
      id,
      route: ask.path,
      receivedMs: ask.receivedMs,
      inputTokens: prompts.reduce((sum, prompt) => sum + prompt.length, 0),
      streamed: false,
    });
    const done = await this.#prefill(prompts, ask.response, id);
    if (!done) {
      row.abortedMs = clock.nowMs();
      if (!ask.response.destroyed) ask.response.destroy();
      return;
    }
    row.finishedMs = clock.nowMs();
    const asked = ask.body["model"];
    const read: PoolingRead = {
      id,
      model: typeof asked === "string" && asked !== "" ? asked : model,
      created: fixedIds ? FIXED_CREATED : Math.floor(ask.receivedMs / 1000),
      tokens: prompts.map((prompt) => prompt.length),
      vector: (index, dimensions) => unitVector(texts[index] ?? "", dimensions),
      score: (a, b) => likeness(texts[a] ?? "", texts[b] ?? ""),
    };
    sendJson(ask.response, 200, ask.pooling.answer(ask.body, read));
  }

  /** Resolves when all texts are read, with `false` when the client left or the engine stopped first. */
  #prefill(
    prompts: readonly (readonly number[])[],
    response: ServerResponse,
    id: string,
  ): Promise<boolean> {
    const { core, facts } = this.#options.built;
    return new Promise((resolve) => {
      let left = prompts.length;
      const submitted = prompts.map((promptIds, index) =>
        core.submit(
          {
            id: `${id}-${index}`,
            promptIds: promptIds.length === 0 ? [0] : promptIds,
            outputTokens: 1,
            outputTokensMax: 1,
            apiMs: facts.apiMs,
          },
          {
            tokens: () => {},
            finished: () => {
              left--;
              if (left === 0) resolve(true);
            },
            failed: () => {
              resolve(false);
            },
          },
        ),
      );
      response.on("close", () => {
        for (const one of submitted) one.abort();
        resolve(false);
      });
    });
  }
}

function unitVector(text: PoolingText, dimensions: number): readonly number[] {
  const random = forkRandom(hashText(String(text)), "vector");
  const values = Array.from({ length: dimensions }, () => normal(random));
  const length = Math.hypot(...values);
  return values.map((value) => Math.fround(value / length));
}

/** Share of pieces two texts have in common, with a little of their own on top so that ties are rare. */
function likeness(a: PoolingText, b: PoolingText): number {
  const pieces = (text: PoolingText): ReadonlySet<number> =>
    new Set(typeof text === "string" ? tokenize(` ${text.toLowerCase()}`) : text);
  const [first, second] = [pieces(a), pieces(b)];
  const shared = [...first].filter((piece) => second.has(piece)).length;
  const all = Math.max(1, Math.min(first.size, second.size));
  const own = (hashText(`${String(a)}|${String(b)}`) % 1000) / 1e5;
  return Math.min(1, 0.98 * (shared / all) + own);
}
