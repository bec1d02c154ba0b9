import type { Clock } from "../../engines/clock.ts";
import type { Exchange, Outcome } from "../../engines/exchange.ts";
import type { Core } from "../../engines/sim/core.ts";
import type { PlannedPrompt, Target } from "../../load/target.ts";
import { plainExchange } from "./plain-exchange.ts";

/** The simulated engine's loop as a target, without HTTP: an hour of traffic in seconds of virtual time. */
export class CoreTarget implements Target {
  readonly label = "simulated";
  sent = 0;
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #apiMs: number;

  constructor(core: Core, clock: Clock, apiMs: number) {
    this.#core = core;
    this.#clock = clock;
    this.#apiMs = apiMs;
  }

  send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange> {
    const sentMs = this.#clock.nowMs();
    const n = this.sent++;
    const timesMs: number[] = [];
    return new Promise((resolve) => {
      let isOver = false;
      const end = (outcome: Outcome): void => {
        if (isOver) return;
        isOver = true;
        signal.removeEventListener("abort", abort);
        const endedMs = this.#clock.nowMs();
        const cachedTokens = submitted.cachedTokens();
        const outputTokens = timesMs.length;
        resolve(
          plainExchange({
            id: String(n),
            prompt,
            sentMs,
            endedMs,
            outcome,
            timesMs,
            outputTokens,
            cachedTokens,
          }),
        );
      };
      const submitted = this.#core.submit(
        {
          id: String(n),
          // Ids nobody used before: nothing is in the cache.
          promptIds: Array.from({ length: prompt.inputTokens }, (_, index) => n * 65_536 + index),
          outputTokens: prompt.outputTokens,
          outputTokensMax: prompt.outputTokens,
          apiMs: this.#apiMs,
        },
        {
          tokens: (_count, _total, atMs) => {
            timesMs.push(atMs);
          },
          finished: () => {
            end({ kind: "completed", finishReason: "length" });
          },
          failed: (code) => {
            end({ kind: "failed", code });
          },
        },
      );
      const abort = (): void => {
        submitted.abort();
        end({ kind: "cancelled", phase: timesMs.length === 0 ? "prefill" : "decode" });
      };
      signal.addEventListener("abort", abort, { once: true });
    });
  }
}
