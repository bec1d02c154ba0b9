import { type Cancel, type Clock, every } from "../../engines/clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { ExchangeStart } from "../../engines/exchange-timer.ts";
import type { PlannedPrompt } from "../../load/target.ts";
import type { PathListener } from "./path-target.ts";
import type { SyntheticBatch } from "./thread-messages.ts";

/** How often a thread tells what happened: several times in the second in which figures are drawn. */
const BATCH_MS = 100;

export interface BatcherParts {
  readonly clock: Clock;
  readonly model: string;
  readonly replica: string;
  readonly tokensMax: number;
  readonly inFlightMax: number;
  readonly tell: (batch: SyntheticBatch) => void;
  /** A cap is reached, in words. */
  readonly capped: (why: string) => void;
}

/** Gathers what synthetic requests do, so that nothing crosses threads per request, and holds them to their caps. */
export class Batcher implements PathListener {
  readonly #parts: BatcherParts;
  readonly #cancel: Cancel;
  #began: ExchangeStart[] = [];
  #ended: Exchange[] = [];
  #requests = 0;
  #tokens = 0;
  #inFlight = 0;

  constructor(parts: BatcherParts) {
    this.#parts = parts;
    this.#cancel = every(parts.clock, BATCH_MS, () => {
      this.flush();
    });
  }

  began(id: string, prompt: PlannedPrompt, path: "direct" | "routed"): void {
    const { model, inFlightMax, capped } = this.#parts;
    this.#inFlight++;
    if (this.#inFlight > inFlightMax)
      capped(`more than ${inFlightMax} synthetic requests under way, its share of the replica`);
    if (path === "routed") return;
    const { route, plannedMs: startedMs, label } = prompt;
    const start = { id, route, model, startedMs, label, bytesIn: 0, streamed: true };
    this.#began.push({ ...start, origin: "synthetic" });
  }

  ended(id: string, exchange: Exchange, path: "direct" | "routed"): void {
    const { replica, tokensMax, capped } = this.#parts;
    this.#inFlight--;
    this.#requests++;
    this.#tokens += (exchange.tokens.input ?? 0) + (exchange.tokens.output ?? 0);
    if (this.#tokens > tokensMax) capped(`${tokensMax} tokens, its limit, are spent`);
    if (path === "direct") this.#ended.push({ ...exchange, id, replica });
  }

  /** Tells what there is now. */
  flush(): void {
    this.#parts.tell({
      began: this.#began,
      ended: this.#ended,
      requests: this.#requests,
      tokens: this.#tokens,
      inFlight: this.#inFlight,
    });
    this.#began = [];
    this.#ended = [];
  }

  stop(): void {
    this.#cancel();
    this.flush();
  }
}
