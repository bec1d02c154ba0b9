import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Clock, systemClock } from "../clock.ts";
import type { CoreStats, EngineCore } from "./engine-core.ts";
import { buildCore, type EngineSetup } from "./engine-setup.ts";
import { type Fault, FaultError, findFault, readFaults } from "./faults.ts";
import type { LedgerRow } from "./generation.ts";
import { InferenceDesk, readBody, sendJson } from "./inference-desk.ts";
import { personas } from "./personas/index.ts";
import type { Page, Persona, Site } from "./personas/persona.ts";

export interface SimulatedEngineOptions extends EngineSetup {
  readonly host?: string;
  /** 0 takes any free one. */
  readonly port?: number;
  readonly clock?: Clock;
  readonly faults?: readonly Fault[];
  /** Ids and times in answers depend on the prompt alone: the same request twice gives the same bytes. */
  readonly fixedIds?: boolean;
}

export interface SimulatedEngine {
  readonly url: string;
  readonly port: number;
  readonly persona: Persona["name"];
  stats(): CoreStats;
  /** The most recent requests in the engine's own books, oldest first. */
  readonly ledger: readonly LedgerRow[];
  setFaults(faults: readonly Fault[]): void;
  /** Cuts every connection and frees the port. */
  close(): Promise<void>;
}

/** All four engines close idle connections after five seconds. */
const KEEP_ALIVE_MS = 5_000;
/** Starts one simulated engine. Rejects when the port is taken or the set-up makes no sense ({@link SetupError}). */
export async function startSimulatedEngine(
  options: SimulatedEngineOptions,
): Promise<SimulatedEngine> {
  const engine = new SimulatedServer(options);
  await engine.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  return engine;
}

class SimulatedServer implements SimulatedEngine {
  readonly persona: Persona["name"];
  readonly #options: SimulatedEngineOptions;
  readonly #clock: Clock;
  readonly #core: EngineCore;
  readonly #looks: Persona;
  readonly #desk: InferenceDesk;
  readonly #server: Server;
  readonly #pages: Readonly<Record<string, () => Page>>;
  #address: AddressInfo | null = null;

  constructor(options: SimulatedEngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.persona = options.persona;
    this.#looks = personas[options.persona];
    this.#core = buildCore(options, this.#clock);
    this.#desk = new InferenceDesk({
      persona: this.#looks,
      core: this.#core,
      clock: this.#clock,
      model: options.model,
      speed: options.speed ?? 1,
      seed: options.seed ?? 1,
      fixedIds: options.fixedIds === true,
    });
    this.#pages = this.#looks.pages(this.#site());
    this.#server = createServer(
      { keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true, requestTimeout: 0 },
      (request, response) => {
        this.#handle(request, response).catch((error: unknown) => {
          sendJson(response, 500, this.#looks.error(500, String(error), null));
        });
      },
    );
    this.setFaults(options.faults ?? []);
  }

  get port(): number {
    return this.#address?.port ?? 0;
  }

  get url(): string {
    return `http://${this.#address?.address ?? "127.0.0.1"}:${this.port}`;
  }

  stats(): CoreStats {
    return this.#core.stats();
  }

  get ledger(): readonly LedgerRow[] {
    return this.#desk.ledger;
  }

  setFaults(faults: readonly Fault[]): void {
    this.#desk.faults = faults;
    this.#core.slowdown = findFault(faults, "slow")?.factor ?? 1;
    const frozen = findFault(faults, "freeze") !== null;
    if (frozen) this.#core.paused = true;
    else this.#core.resume();
  }

  listen(port: number, host: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#address = this.#server.address() as AddressInfo;
        resolve();
      });
    });
  }

  close(): Promise<void> {
    this.#core.stop("the simulated engine was stopped");
    return new Promise((resolve) => {
      this.#server.close(() => {
        resolve();
      });
      this.#server.closeAllConnections();
    });
  }

  #site(): Site {
    const { machine, limits } = this.#core.options;
    return {
      model: this.#options.model,
      contextTokens: machine.model.contextTokens,
      nowSeconds: () => Math.floor(this.#clock.nowMs() / 1000),
      stats: () => this.#core.stats(),
      latency: this.#desk.latency,
      kvBlocks: this.#core.cache.blocks,
      blockTokens: this.#core.cache.blockTokens,
      sequencesMax: limits.sequencesMax,
    };
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeader("server", this.#looks.server);
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path === "/_sim/faults") return this.#control(request, response);
    if (path === "/v1/chat/completions" || path === "/v1/completions") {
      if (request.method !== "POST")
        return sendJson(response, 405, this.#looks.error(405, "Method Not Allowed", null));
      return this.#desk.answer(request, response);
    }
    request.resume();
    const page = this.#pages[path];
    if (page === undefined)
      return sendJson(response, 404, this.#looks.error(404, "Not Found", null));
    const hang = findFault(this.#desk.faults, "hang")?.page;
    if (hang !== undefined && path.includes(hang)) return;
    const { status, type, body } = page();
    response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
    response.end(request.method === "HEAD" ? undefined : body);
  }

  /** `PUT /_sim/faults` replaces the faults; `GET` tells them and the engine's counters. */
  async #control(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "PUT") {
      try {
        this.setFaults(readFaults(JSON.parse(await readBody(request))));
      } catch (error) {
        const sentence =
          error instanceof FaultError ? error.message : "the body must be a JSON list of faults.";
        return sendJson(response, 400, this.#looks.error(400, sentence, "faults"));
      }
    }
    const text = JSON.stringify({ faults: this.#desk.faults, stats: this.#core.stats() });
    response.writeHead(200, { "content-type": "application/json" });
    response.end(text);
  }
}
