import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type Cancel, type Clock, systemClock } from "../clock.ts";
import type { LedgerRow } from "./books.ts";
import { answerControl, type SimState } from "./control-desk.ts";
import { Door } from "./door.ts";
import type { CoreStats } from "./engine-core.ts";
import { SetupError } from "./engine-setup.ts";
import { EngineProcess, type Phase, type ProcessOptions } from "./engine-process.ts";
import { playScript, type ScriptStep } from "./fault-script.ts";
import { FaultSwitch } from "./fault-switch.ts";
import type { Fault } from "./faults.ts";
import { sendJson } from "./json-answer.ts";
import { Ledger } from "./ledger.ts";
import { dressAnswer } from "./manners.ts";
import { personas } from "./personas/index.ts";
import type { Persona } from "./personas/persona.ts";

export interface SimulatedEngineOptions extends ProcessOptions {
  readonly host?: string;
  /** 0 takes any free one. */
  readonly port?: number;
  readonly clock?: Clock;
  readonly faults?: readonly Fault[];
  readonly script?: readonly ScriptStep[];
  /** How long loading takes; 0 unless given. */
  readonly bootSeconds?: number;
}

export interface SimulatedEngine {
  readonly url: string;
  readonly port: number;
  readonly persona: Persona["name"];
  stats(): CoreStats;
  state(): SimState;
  /** The most recent requests in the simulator's own books, oldest first. */
  readonly ledger: readonly LedgerRow[];
  setFaults(faults: readonly Fault[]): void;
  /** Resolves when the boot is over. */
  ready(): Promise<void>;
  /** Cuts every connection and frees the port. */
  close(): Promise<void>;
}

/**
 * Starts one simulated engine. Rejects when the port is taken or the set-up makes no sense ({@link SetupError}).
 * Resolves at once, as a process does: with a boot time the engine is not there yet.
 */
export async function startSimulatedEngine(
  options: SimulatedEngineOptions,
): Promise<SimulatedEngine> {
  const engine = new SimulatedServer(options);
  await engine.start();
  return engine;
}

class SimulatedServer implements SimulatedEngine {
  readonly persona: Persona["name"];
  readonly #options: SimulatedEngineOptions;
  readonly #clock: Clock;
  readonly #looks: Persona;
  readonly #faults: FaultSwitch;
  readonly #record = new Ledger();
  readonly #http: Server;
  readonly #door: Door;
  #process: EngineProcess;
  #phase: Phase = "loading";
  #bornMs = 0;
  #restarts = 0;
  #restarting = false;
  #closed = false;
  /** What the boot, a restart and a script have planned. */
  #plans: Cancel[] = [];
  readonly #healing: Cancel[] = [];
  #stopScript: Cancel = () => {};
  #whenReady: (() => void)[] = [];

  constructor(options: SimulatedEngineOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.persona = options.persona;
    this.#looks = personas[options.persona];
    if (options.apiKey !== undefined && options.apiKey !== null && this.#looks.auth === null)
      throw new SetupError(`${options.persona} has no key check of its own: leave --api-key out.`);
    this.#faults = new FaultSwitch(options.seed ?? 1);
    this.#process = this.#born();
    this.#http = createServer(
      {
        keepAliveTimeout: this.#looks.connections.idleMs,
        keepAliveTimeoutBuffer: 0,
        requestTimeout: 0,
      },
      (request, response) => {
        this.#handle(request, response).catch((error: unknown) => {
          const refusal = {
            kind: "fault",
            status: 500,
            message: String(error),
            param: null,
          } as const;
          sendJson(response, 500, this.#looks.refuse(refusal));
        });
      },
    );
    this.#door = new Door(this.#clock, (socket) => this.#http.emit("connection", socket));
  }

  get port(): number {
    return this.#door.address?.port ?? 0;
  }

  get url(): string {
    return `http://${this.#door.address?.address ?? "127.0.0.1"}:${this.port}`;
  }

  get ledger(): readonly LedgerRow[] {
    return this.#record.rows;
  }

  get books(): Ledger {
    return this.#record;
  }

  stats(): CoreStats {
    return this.#process.built.core.stats();
  }

  state(): SimState {
    const bootMs = (this.#options.bootSeconds ?? 0) * 1000;
    const aliveMs = this.#clock.nowMs() - this.#bornMs;
    const isReady = this.#phase === "ready";
    return {
      persona: this.persona,
      model: this.#options.model,
      phase: this.#phase,
      bootProgress: isReady ? 1 : this.#phase === "down" ? 0 : Math.min(1, aliveMs / bootMs),
      restarts: this.#restarts,
      listening: this.#door.open,
      connections: this.#door.inside,
      faults: this.#faults.faults,
      met: this.#faults.met,
      stats: this.stats(),
      lag: this.#process.lag.view(this.#clock.nowMs()),
    };
  }

  /** Takes the port, so that it is known and errors are seen, then boots. */
  async start(): Promise<void> {
    const { host = "127.0.0.1", port = 0, faults = [], script } = this.#options;
    await this.#door.listen(host, port);
    this.#boot();
    this.setFaults(faults);
    if (script !== undefined) this.play(script);
  }

  setFaults(faults: readonly Fault[]): void {
    for (const cancel of this.#healing.splice(0)) cancel();
    this.#faults.faults = faults;
    for (const fault of faults) {
      if (fault.forSeconds === undefined) continue;
      const heal = (): void => {
        this.#faults.drop(fault);
        this.#takeEffect();
      };
      this.#healing.push(this.#clock.schedule(fault.forSeconds * 1000, heal));
    }
    this.#takeEffect();
    const restart = this.#faults.find("restart");
    if (restart !== null && !this.#restarting) this.#restart(restart.downSeconds * 1000);
  }

  /** Makes the faults of the whole engine so, or no longer so. */
  #takeEffect(): void {
    const { core, memory } = this.#process.built;
    core.slowdown = this.#faults.find("slow")?.factor ?? 1;
    const full = this.#faults.find("memory-full");
    memory.fill(full === null ? null : (full.leaveBlocks ?? 0));
    if (this.#faults.find("freeze") !== null) core.paused = true;
    else core.resume();
    this.#door.acceptDelayMs = this.#faults.find("slow-accept")?.delayMs ?? 0;
    this.#setDoor();
  }

  play(script: readonly ScriptStep[]): void {
    this.#stopScript();
    this.#stopScript = playScript(script, this.#clock, (faults) => {
      this.setFaults(faults);
    });
  }

  ready(): Promise<void> {
    if (this.#phase === "ready") return Promise.resolve();
    return new Promise((resolve) => this.#whenReady.push(resolve));
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#stopScript();
    this.#dropPlans();
    for (const cancel of this.#healing.splice(0)) cancel();
    this.#process.stop("the simulated engine was stopped");
    this.#door.shut();
    this.#door.cutAll();
    return Promise.resolve();
  }

  #born(): EngineProcess {
    return new EngineProcess(this.#options, {
      persona: this.#looks,
      clock: this.#clock,
      faults: this.#faults,
      ledger: this.#record,
      phase: () => this.#phase,
    });
  }

  /** Loads, warms up, is ready: each engine shows these in its own way. */
  #boot(): void {
    const bootMs = (this.#options.bootSeconds ?? 0) * 1000;
    const warmMs = bootMs * this.#looks.boot.warmUpShare;
    this.#bornMs = this.#clock.nowMs();
    if (bootMs === 0) return this.#enter("ready");
    this.#enter("loading");
    this.#plan(bootMs - warmMs, () => {
      this.#enter(warmMs > 0 ? "warming" : "ready");
    });
    if (warmMs > 0)
      this.#plan(bootMs, () => {
        this.#enter("ready");
      });
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#setDoor();
    if (phase !== "ready") return;
    for (const tell of this.#whenReady.splice(0)) tell();
  }

  /** Open when the engine would listen and no fault keeps it shut. */
  #setDoor(): void {
    const { listensWhileLoading } = this.#looks.boot;
    const listens =
      this.#phase === "ready" ||
      this.#phase === "warming" ||
      (this.#phase === "loading" && listensWhileLoading);
    const wanted = listens && this.#faults.find("refuse") === null && !this.#closed;
    if (!wanted) this.#door.shut();
    else
      this.#door.reopen().catch((error: unknown) => {
        process.emitWarning(`the simulated engine cannot listen again: ${String(error)}`);
      });
  }

  /** The process is gone for a while and comes back as a new one, with nothing counted. */
  #restart(downMs: number): void {
    this.#restarting = true;
    this.#restarts++;
    this.#dropPlans();
    this.#phase = "down";
    this.#setDoor();
    this.#process.stop("the simulated engine was restarted");
    this.#door.cutAll();
    this.#plan(downMs, () => {
      this.#process = this.#born();
      this.#boot();
      this.#restarting = false;
      for (const fault of this.#faults.faults)
        if (fault.kind === "restart") this.#faults.drop(fault);
      this.#takeEffect();
    });
  }

  #plan(delayMs: number, task: () => void): void {
    this.#plans.push(this.#clock.schedule(delayMs, task));
  }

  #dropPlans(): void {
    for (const cancel of this.#plans.splice(0)) cancel();
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://engine");
    if (url.pathname === "/_sim" || url.pathname.startsWith("/_sim/"))
      return answerControl(request, response, { url, controlled: this });
    dressAnswer(this.#looks, request, response);
    return this.#process.answer(request, response, url);
  }
}
