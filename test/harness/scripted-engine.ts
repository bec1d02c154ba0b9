import type { Exchange, Outcome } from "../../engines/exchange.ts";
import type { VirtualClock } from "../../engines/virtual-clock.ts";
import type { PlannedPrompt, Target } from "../../load/target.ts";
import { plainExchange } from "./plain-exchange.ts";

export interface ScriptedOptions {
  readonly clock: VirtualClock;
  /** One server that takes this long for each request, in order of arrival: a hard service rate. 0 for none. */
  readonly serviceMs?: number;
  /** From the end of service (or arrival) to the first token. */
  readonly ttftMs?: number;
  /** Between token events. */
  readonly itlMs?: number;
  /** Tokens each event carries. */
  readonly tokensPerEvent?: number;
  /** Stops by itself after so many tokens, whatever was asked. */
  readonly tokensMax?: number;
  /** Nothing is served before this. */
  readonly frozen?: { readonly fromMs: number; readonly toMs: number };
  readonly cachedTokens?: number;
  readonly countedBy?: Exchange["tokens"]["countedBy"];
  /** Answers request number n with a failure. */
  readonly fails?: (n: number) => boolean;
  /** Multiplies service and token times from a moment on. */
  readonly slower?: { readonly fromMs: number; readonly factor: number };
  /** A stall before this event of each request. */
  readonly stall?: { readonly event: number; readonly ms: number };
}

interface Waiting {
  readonly prompt: PlannedPrompt;
  readonly sentMs: number;
  readonly n: number;
  readonly resolve: (exchange: Exchange) => void;
  gone: boolean;
}

/** An engine of known timing in virtual time. Records are built directly: its figures are true by construction. */
export class ScriptedEngine implements Target {
  readonly label = "scripted";
  sent = 0;
  inFlight = 0;
  inFlightMax = 0;
  readonly #options: ScriptedOptions;
  readonly #queue: Waiting[] = [];
  readonly #bySignal = new WeakMap<AbortSignal, Set<Waiting>>();
  #head = 0;
  #busy = false;

  constructor(options: ScriptedOptions) {
    this.#options = options;
  }

  send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange> {
    return new Promise((resolve) => {
      const under = this.#under(signal);
      const waiting: Waiting = {
        prompt,
        sentMs: this.#options.clock.nowMs(),
        n: this.sent++,
        gone: false,
        resolve: (exchange) => {
          this.inFlight--;
          under.delete(waiting);
          resolve(exchange);
        },
      };
      under.add(waiting);
      this.inFlight++;
      this.inFlightMax = Math.max(this.inFlightMax, this.inFlight);
      if ((this.#options.serviceMs ?? 0) === 0) this.#answer(waiting);
      else {
        this.#queue.push(waiting);
        this.#serve();
      }
    });
  }

  /** Requests one signal can cut. One listener for all of them: a hundred sweeps send millions. */
  #under(signal: AbortSignal): Set<Waiting> {
    const known = this.#bySignal.get(signal);
    if (known !== undefined) return known;
    const waiting = new Set<Waiting>();
    this.#bySignal.set(signal, waiting);
    signal.addEventListener("abort", () => {
      for (const one of waiting) {
        one.gone = true;
        one.resolve(this.#record(one, { kind: "cancelled", phase: "waiting" }, []));
      }
    });
    return waiting;
  }

  #serve(): void {
    if (this.#busy) return;
    let next = this.#queue[this.#head];
    while (next?.gone === true) next = this.#queue[++this.#head];
    if (next === undefined) {
      this.#queue.length = 0;
      this.#head = 0;
      return;
    }
    this.#head++;
    this.#busy = true;
    const { clock, serviceMs = 0 } = this.#options;
    clock.schedule(this.#thawMs() + serviceMs * this.#pace(), () => {
      this.#busy = false;
      if (!next.gone) this.#answer(next);
      this.#serve();
    });
  }

  /** The service is over: tokens appear. */
  #answer(waiting: Waiting): void {
    const {
      clock,
      ttftMs = 0,
      itlMs = 0,
      tokensPerEvent = 1,
      tokensMax = Infinity,
    } = this.#options;
    const { stall, serviceMs = 0 } = this.#options;
    const tokens = Math.min(waiting.prompt.outputTokens, tokensMax);
    const events = Math.ceil(tokens / tokensPerEvent);
    let atMs = clock.nowMs() + (serviceMs === 0 ? this.#thawMs() : 0) + ttftMs * this.#pace();
    const times: number[] = [];
    for (let event = 0; event < events; event++) {
      if (event > 0) atMs += itlMs * this.#pace();
      if (event === stall?.event) atMs += stall.ms;
      times.push(atMs);
    }
    const finish = (): void => {
      if (waiting.gone) return;
      waiting.gone = true;
      const failed = this.#options.fails?.(waiting.n) === true;
      const outcome: Outcome = failed
        ? { kind: "failed", code: "upstream_status_500" }
        : { kind: "completed", finishReason: "length" };
      waiting.resolve(this.#record(waiting, outcome, failed ? [] : times));
    };
    if (atMs <= clock.nowMs()) finish();
    else clock.schedule(atMs - clock.nowMs(), finish);
  }

  #thawMs(): number {
    const { frozen, clock } = this.#options;
    const nowMs = clock.nowMs();
    return frozen !== undefined && nowMs >= frozen.fromMs && nowMs < frozen.toMs
      ? frozen.toMs - nowMs
      : 0;
  }

  #pace(): number {
    const { slower, clock } = this.#options;
    return slower !== undefined && clock.nowMs() >= slower.fromMs ? slower.factor : 1;
  }

  #record({ prompt, sentMs, n }: Waiting, outcome: Outcome, timesMs: readonly number[]): Exchange {
    const { clock, countedBy = "usage", cachedTokens = null, tokensMax = Infinity } = this.#options;
    return plainExchange({
      id: String(n),
      prompt,
      sentMs,
      endedMs: clock.nowMs(),
      outcome,
      timesMs,
      outputTokens: timesMs.length === 0 ? null : Math.min(prompt.outputTokens, tokensMax),
      cachedTokens,
      countedBy,
    });
  }
}
