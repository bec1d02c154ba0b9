import type { CoreStats, EngineCore } from "../../engines/sim/engine-core.ts";
import { buildCore, type EngineSetup } from "../../engines/sim/engine-setup.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";

/** What a client would have measured of one request. */
export interface Measured {
  readonly ttftMs: number;
  /** Between first and last token, over tokens − 1. */
  readonly tpotMs: number;
  /** Mean time between chunks, and the tokens of each. */
  readonly chunkMs: number;
  readonly chunkTokens: number;
  readonly cachedTokens: number;
}

export interface Shape {
  readonly input: number;
  readonly output: number;
}

/** One simulated engine on a clock of its own; without noise unless asked for. */
export class VirtualEngine {
  readonly clock = new VirtualClock();
  readonly core: EngineCore;
  #prompts = 0;

  constructor(setup: Partial<EngineSetup> = {}) {
    const whole = { persona: "vllm", model: "Llama-3.1-8B", jitter: 0, ...setup } as const;
    this.core = buildCore(whole, this.clock);
  }

  get stats(): CoreStats {
    return this.core.stats();
  }

  /** Puts a request in now; `done` is told when it ended. A prompt of its own unless ids are given. */
  ask(
    { input, output }: Shape,
    done: (measured: Measured) => void,
    promptIds: ArrayLike<number> = this.prompt(input),
  ): void {
    const startMs = this.clock.nowMs();
    let firstMs = 0;
    let chunks = 0;
    const submitted = this.core.submit(
      { id: "x", promptIds, outputTokens: output, outputTokensMax: output, apiMs: 0 },
      {
        tokens: (_count, _total, atMs) => {
          if (chunks++ === 0) firstMs = atMs;
        },
        finished: (atMs) => {
          const spanMs = atMs - firstMs;
          done({
            ttftMs: firstMs - startMs,
            tpotMs: spanMs / Math.max(1, output - 1),
            chunkMs: spanMs / Math.max(1, chunks - 1),
            chunkTokens: (output - 1) / Math.max(1, chunks - 1),
            cachedTokens: submitted.cachedTokens(),
          });
        },
        failed: (reason) => {
          throw new Error(reason);
        },
      },
    );
  }

  /** Token ids that no other prompt of this engine shares. */
  prompt(tokens: number): number[] {
    const from = ++this.#prompts * 1_000_003;
    return Array.from({ length: tokens }, (_, at) => from + at);
  }

  run(): void {
    while (this.clock.step());
  }

  /** One request alone. */
  alone(shape: Shape, promptIds?: ArrayLike<number>): Measured {
    let measured: Measured | null = null;
    this.ask(shape, (one) => (measured = one), promptIds);
    this.run();
    if (measured === null) throw new Error("the request did not end");
    return measured;
  }

  /** So many users with one request each at a time, `rounds` times; figures without the first round. */
  users(users: number, shape: Shape, rounds = 4): Crowd {
    return this.#crowd(
      () => {
        const all: Measured[] = [];
        const next = (round: number): void => {
          this.ask(shape, (measured) => {
            if (round > 0) all.push(measured);
            if (round < rounds) next(round + 1);
          });
        };
        for (let user = 0; user < users; user++) next(0);
        return all;
      },
      users * (rounds + 1) * shape.output,
    );
  }

  /** Requests at even gaps. */
  rate(perSecond: number, count: number, shape: Shape): Crowd {
    return this.#crowd(() => {
      const all: Measured[] = [];
      for (let index = 0; index < count; index++) {
        this.clock.schedule((index * 1000) / perSecond, () => {
          this.ask(shape, (measured) => all.push(measured));
        });
      }
      return all;
    }, count * shape.output);
  }

  #crowd(start: () => Measured[], tokens: number): Crowd {
    const startMs = this.clock.nowMs();
    const all = start();
    this.run();
    return {
      count: all.length,
      ttftMs: median(all.map((one) => one.ttftMs)),
      tpotMs: median(all.map((one) => one.tpotMs)),
      tokensPerSecond: (tokens * 1000) / (this.clock.nowMs() - startMs),
    };
  }
}

/** Medians of many, and the throughput of all. */
export interface Crowd {
  readonly count: number;
  readonly ttftMs: number;
  readonly tpotMs: number;
  readonly tokensPerSecond: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}
