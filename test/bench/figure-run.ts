import type { EngineCore } from "../../engines/sim/engine-core.ts";
import { buildCore, type EngineSetup, SetupError } from "../../engines/sim/engine-setup.ts";
import { forkRandom, type Random } from "../../engines/random.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import type { Figure } from "./figures.ts";

/** What the simulator says to a published row. */
export interface Simulated {
  readonly tpotMs: number;
  readonly ttftMs: number;
  readonly requests: number;
}

/** Requests each user sends; the published clients send about ten, the first wave of all users at once among them. */
const REQUESTS_PER_USER = 10;
/** Tokens generated in one row at most: long answers of many users need fewer waves for the same figure. */
const OUTPUT_TOKENS_MAX = 1_500_000;
const REQUESTS_PER_USER_MIN = 3;
/** Enough requests for a median, whatever the length of the answers. */
const OPEN_LOOP_REQUESTS_MIN = 200;
/** Virtual seconds of arrivals of an open-loop row: queues of a loaded engine have settled by then. */
const OPEN_LOOP_SECONDS = 120;

/** Runs one published row on the simulated engine in virtual time. @throws {SetupError} when the engine refuses it or its requests. */
export function runFigure(figure: Figure, overrides: Partial<EngineSetup> = {}): Simulated {
  const clock = new VirtualClock();
  const run = new FigureRun(figure, buildCore({ ...setupOf(figure), ...overrides }, clock), clock);
  run.start();
  while (clock.step());
  return run.result();
}

function setupOf(figure: Figure): EngineSetup {
  const { client } = figure;
  return {
    persona: figure.persona,
    model: figure.model.id,
    tp: figure.tp,
    weights: figure.weights,
    kvType: figure.kvType,
    expertParallel: figure.expertParallel,
    asyncScheduling: figure.asyncScheduling,
    prefixCache: client.distinctPrompts !== null,
    ...(client.sequencesMax === null ? {} : { sequencesMax: client.sequencesMax }),
    ...(client.kvCapacityTokens === null ? {} : { kvCapacityTokens: client.kvCapacityTokens }),
    ...(client.stepTokensMax === null ? {} : { stepTokensMax: client.stepTokensMax }),
  };
}

/** A client sending one row's traffic, and what it measured. */
class FigureRun {
  readonly #figure: Figure;
  readonly #core: EngineCore;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #ttfts: number[] = [];
  readonly #tpots: number[] = [];
  #left = 0;
  #sent = 0;
  #refusal: string | null = null;

  constructor(figure: Figure, core: EngineCore, clock: VirtualClock) {
    this.#figure = figure;
    this.#core = core;
    this.#clock = clock;
    this.#random = forkRandom(figure.line, "client");
  }

  start(): void {
    const { load, outputTokens } = this.#figure;
    if (load.kind === "users") {
      const waves = Math.floor(OUTPUT_TOKENS_MAX / (load.users * outputTokens));
      const each = Math.min(REQUESTS_PER_USER, Math.max(REQUESTS_PER_USER_MIN, waves));
      this.#left = load.users * each;
      for (let user = 0; user < load.users; user++) this.#send();
      return;
    }
    this.#left = Math.min(
      Math.ceil(OPEN_LOOP_SECONDS * load.perSecond),
      Math.max(OPEN_LOOP_REQUESTS_MIN, Math.ceil(OUTPUT_TOKENS_MAX / outputTokens)),
    );
    const gapMs = 1000 / load.perSecond;
    const next = (): void => {
      this.#send();
      if (this.#left > 0) this.#clock.schedule(gapMs, next);
    };
    next();
  }

  result(): Simulated {
    if (this.#refusal !== null) throw new SetupError(this.#refusal);
    const statistic = this.#figure.ttftStatistic === "median" ? median : mean;
    return {
      tpotMs: mean(this.#tpots),
      ttftMs: statistic(this.#ttfts),
      requests: this.#ttfts.length,
    };
  }

  #send(): void {
    if (this.#left === 0) return;
    this.#left--;
    const { load, client } = this.#figure;
    const { apiMs, chatApiMs } = this.#core.options.machine.profile;
    const outputTokens = this.#length(this.#figure.outputTokens);
    const startMs = this.#clock.nowMs();
    let firstMs = 0;
    this.#core.submit(
      {
        id: String(this.#left),
        promptIds: this.#prompt(),
        outputTokens,
        outputTokensMax: outputTokens,
        apiMs: client.chat ? chatApiMs : apiMs,
      },
      {
        tokens: (_count, _total, atMs) => {
          if (firstMs === 0) firstMs = atMs;
        },
        finished: (atMs) => {
          this.#ttfts.push(firstMs - startMs);
          if (outputTokens > 1) this.#tpots.push((atMs - firstMs) / (outputTokens - 1));
          if (load.kind === "users") this.#send();
        },
        failed: (reason) => {
          this.#refusal = reason;
        },
      },
    );
  }

  /** Ids of one of the few prompts the client repeats; where the cache is off only their number matters. */
  #prompt(): ArrayLike<number> {
    const length = this.#length(this.#figure.inputTokens);
    const { distinctPrompts } = this.#figure.client;
    if (distinctPrompts === null) return { length };
    const which = this.#sent % distinctPrompts;
    this.#sent++;
    const from = (which + 1) * 1_000_003;
    return Float64Array.from({ length }, (_, at) => from + at);
  }

  #length(nominal: number): number {
    const { lengthShareMin } = this.#figure.client;
    if (lengthShareMin === 1) return nominal;
    const share = lengthShareMin + (1 - lengthShareMin) * this.#random.next();
    return Math.max(2, Math.round(nominal * share));
  }
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
