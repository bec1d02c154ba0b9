import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import { BodyError } from "./body-error.ts";
import { Books } from "./books.ts";
import { readChatPrompt } from "./chat-prompt.ts";
import { buildEngine, type BuiltCore } from "./core.ts";
import type { EngineSetup } from "./engine-setup.ts";
import type { FaultSwitch } from "./fault-switch.ts";
import { InferenceDesk } from "./inference-desk.ts";
import { parseObject } from "./inference-body.ts";
import { readBody, sendJson } from "./json-answer.ts";
import { Lag } from "./lag.ts";
import type { Ledger } from "./ledger.ts";
import type { Page, PageHandler, Persona, Refusal, Site } from "./personas/persona.ts";
import { PoolingDesk } from "./pooling-desk.ts";
import type { ScriptedTiming } from "./scripted-core.ts";
import { Vocabulary } from "./text.ts";

export interface ProcessOptions extends EngineSetup {
  readonly scripted?: ScriptedTiming | null;
  readonly fixedIds?: boolean;
  readonly allRoutes?: boolean;
  readonly apiKey?: string | null;
}

export type Phase = "down" | "loading" | "warming" | "ready";

/** What a life of the engine is put into. */
export interface Surroundings {
  readonly persona: Persona;
  readonly clock: Clock;
  readonly faults: FaultSwitch;
  readonly ledger: Ledger;
  readonly phase: () => Phase;
}

/** Pages a hang fault means, by its word. */
const PAGE_PATHS = { health: /health|ping/, metrics: /metrics|loads|slots|get_load/ } as const;

/** One life of the simulated engine, from boot to death: its loop, its counters, its routes. A restart makes a new one. */
export class EngineProcess {
  readonly built: BuiltCore;
  readonly books: Books;
  readonly lag = new Lag();
  readonly #options: ProcessOptions;
  readonly #around: Surroundings;
  readonly #desk: InferenceDesk;
  readonly #pooling: PoolingDesk;
  readonly #vocabulary = new Vocabulary();
  readonly #pages: Readonly<Record<string, PageHandler>>;
  readonly #paths: ReadonlySet<string>;
  /** Pages kept by the stale-metrics fault, by path with query. */
  readonly #kept = new Map<string, Page>();

  constructor(options: ProcessOptions, around: Surroundings) {
    this.#options = options;
    this.#around = around;
    const { clock, persona } = around;
    this.built = buildEngine(options, clock);
    const { core } = this.built;
    this.books = new Books(persona.borders, () => core.stats());
    core.onStep = (step) => {
      this.books.stepped(step);
      this.lag.observe(step.atMs, clock.nowMs());
    };
    const desk = {
      ...around,
      built: this.built,
      books: this.books,
      vocabulary: this.#vocabulary,
      model: options.model,
      speed: options.speed ?? 1,
      seed: options.seed ?? 1,
      fixedIds: options.fixedIds === true,
    };
    this.#desk = new InferenceDesk(desk);
    this.#pooling = new PoolingDesk(desk, { allRoutes: options.allRoutes === true });
    this.#pages = persona.pages(this.#site());
    this.#paths = new Set(Object.keys(this.#pages).map((key) => key.slice(key.indexOf(" ") + 1)));
  }

  /** Answers one request to the engine. */
  async answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { persona } = this.#around;
    const path = url.pathname;
    const method = request.method ?? "GET";
    const key = `${method === "HEAD" ? "GET" : method} ${path}`;
    const inference = persona.inference[path];
    const pooling = persona.pooling[path];
    const page = this.#pages[key];
    const known = inference !== undefined || pooling !== undefined || this.#paths.has(path);
    if (known) this.#count(request, response, path);
    const refusal = this.#refusalOf(request, path);
    if (refusal !== null) return this.#refuse(request, response, refusal);
    if (page !== undefined) return this.#answerPage(request, response, { url, page });
    if (inference !== undefined && method === "POST")
      return this.#desk.answer(request, response, { path, inference });
    if (pooling !== undefined && method === "POST")
      return this.#pooling.answer(request, response, { path, pooling });
    this.#refuse(
      request,
      response,
      known
        ? { kind: "method", status: 405, message: "Method Not Allowed", param: null }
        : { kind: "not-found", status: 404, message: "Not Found", param: null },
    );
  }

  /** Dies: whatever runs is gone. */
  stop(reason: string): void {
    this.built.core.stop(reason);
  }

  #refusalOf(request: IncomingMessage, path: string): Refusal | null {
    const { persona, phase } = this.#around;
    if (phase() === "loading")
      return { kind: "loading", status: 503, message: "Loading model", param: null };
    const { apiKey } = this.#options;
    const { auth } = persona;
    if (apiKey === undefined || apiKey === null || auth === null || !auth.guards(path)) return null;
    const bearer = request.headers.authorization === `Bearer ${apiKey}`;
    if (bearer || (auth.xApiKey && request.headers["x-api-key"] === apiKey)) return null;
    return { kind: "key", status: 401, message: "Unauthorized", param: null };
  }

  #refuse(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
    request.resume();
    sendJson(response, refusal.status, this.#around.persona.refuse(refusal));
  }

  async #answerPage(
    request: IncomingMessage,
    response: ServerResponse,
    { url, page }: { readonly url: URL; readonly page: PageHandler },
  ): Promise<void> {
    const { faults, clock, persona } = this.#around;
    let body = {};
    if (request.method === "POST") {
      try {
        const text = await readBody(request);
        body = text === "" ? {} : parseObject(text);
      } catch (error) {
        if (!(error instanceof BodyError)) throw error;
        const { message, param } = error;
        const refusal = { kind: "invalid", status: 400, message, param } as const;
        return sendJson(response, 400, persona.refuse(refusal));
      }
    } else {
      request.resume();
    }
    const hang = faults.find("hang");
    if (hang !== null && PAGE_PATHS[hang.page].test(url.pathname)) {
      if (hang.forMs === undefined) return;
      await clock.after(hang.forMs);
    }
    try {
      const shown = await this.#shown(page, url, body);
      if (response.destroyed) return;
      const bytes = Buffer.byteLength(shown.body);
      const headers = { ...shown.headers, "content-type": shown.type, "content-length": bytes };
      response.writeHead(shown.status, headers);
      response.end(request.method === "HEAD" ? undefined : shown.body);
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      const { message, param } = error;
      const refusal = { kind: "invalid", status: 400, message, param } as const;
      sendJson(response, 400, persona.refuse(refusal));
    }
  }

  /** The page as it is, or as it was when its figures froze. */
  async #shown(page: PageHandler, url: URL, body: object): Promise<Page> {
    const ask = { query: url.searchParams, body: body as Parameters<PageHandler>[0]["body"] };
    const stale =
      this.#around.faults.find("stale-metrics") !== null && PAGE_PATHS.metrics.test(url.pathname);
    if (!stale) {
      this.#kept.clear();
      return page(ask);
    }
    const kept = this.#kept.get(url.pathname) ?? (await page(ask));
    this.#kept.set(url.pathname, kept);
    return kept;
  }

  #count(request: IncomingMessage, response: ServerResponse, path: string): void {
    const { books } = this;
    books.httpActive++;
    response.once("close", () => {
      books.httpActive--;
      books.answered(path, request.method ?? "GET", response.statusCode);
    });
  }

  #site(): Site {
    const { clock, phase } = this.#around;
    const { core, facts, memory } = this.built;
    const speed = this.#options.speed ?? 1;
    return {
      model: this.#options.model,
      tp: this.#options.tp ?? 1,
      ...facts,
      vocabulary: this.#vocabulary,
      nowSeconds: () => Math.floor(clock.nowMs() / 1000),
      startedSeconds: Math.floor(clock.nowMs() / 1000),
      stats: () => core.stats(),
      books: this.books,
      allRoutes: this.#options.allRoutes === true,
      phase: () => {
        const now = phase();
        return now === "down" ? "loading" : now;
      },
      chatIds: (body) => readChatPrompt(body["messages"], body["tools"]).ids,
      slots: () => this.#desk.slots(),
      after: (ms) => clock.after(ms / speed),
      probe: (limitMs) => this.#probe(limitMs / speed),
      clearPrefixCache: () => {
        memory.forget();
      },
      abortAll: () => this.#desk.abortAll(),
    };
  }

  /** Asks the loop for one token. */
  #probe(limitMs: number): Promise<boolean> {
    const { core, facts } = this.built;
    return new Promise((resolve) => {
      const cancel = this.#around.clock.schedule(limitMs, () => {
        submitted.abort();
        resolve(false);
      });
      const end = (alive: boolean): void => {
        cancel();
        resolve(alive);
      };
      const submitted = core.submit(
        {
          id: "HEALTH_CHECK",
          promptIds: [0],
          outputTokens: 1,
          outputTokensMax: 1,
          apiMs: facts.apiMs,
        },
        {
          tokens: () => {},
          finished: () => {
            end(true);
          },
          failed: () => {
            end(false);
          },
        },
      );
    });
  }
}
