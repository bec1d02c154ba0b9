import type { Cancel, Clock } from "../engines/clock.ts";
import type { Exchange } from "../engines/exchange.ts";
import type { Random } from "../engines/random.ts";
import type { Pacer } from "./pacers/pacer.ts";
import type { PlannedPrompt, Prompt, Target } from "./target.ts";

export interface StageOptions {
  readonly target: Target;
  readonly pacer: Pacer;
  /** The prompt of request number `index`. */
  readonly prompt: (random: Random, index: number) => Prompt;
  readonly clock: Clock;
  readonly random: Random;
  /** `run/point` every record carries. */
  readonly label: string;
  /** No more requests go out once it aborts. */
  readonly sending: AbortSignal;
  /** Requests under way are cut once it aborts. */
  readonly finishing: AbortSignal;
  /** A request leaves now. */
  readonly onSend?: (plannedMs: number) => void;
  readonly onExchange: (exchange: Exchange, sendLagMs: number, prompt: Prompt) => void;
  /** What the same user sends next, and how long after this answer: the further turns of a conversation. */
  readonly follow?: (exchange: Exchange, prompt: Prompt) => FollowUp | null;
}

/** A further turn of a conversation. */
export interface FollowUp {
  readonly afterMs: number;
  readonly prompt: Prompt;
}

/** What a stage did. */
export interface StageReport {
  readonly sent: number;
  /** Requests not sent because {@link IN_FLIGHT_MAX} were under way: the load was not what the plan says. */
  readonly capped: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

/** A guard against running out of sockets, not a pacing device; when it strikes the stage says so. */
export const IN_FLIGHT_MAX = 8_192;
/** A microsecond early is on time: a clock of epoch milliseconds in doubles cannot tell less apart. */
const DUE_MS = 0.001;
/** Sends in one turn; then answers get a turn, so that a burst does not delay what it measures. */
const BURST_MAX = 64;

/**
 * Sends what the pacer wants when it wants it, and waits for every answer. Latency counts from the planned moment;
 * how late each request really left is reported beside it.
 */
export function runStage(options: StageOptions): Promise<StageReport> {
  return new Promise((resolve, reject) => {
    new Stage(options, resolve, reject).start();
  });
}

/** A stage under way: woken by the clock, by answers and by aborts, never waiting in between. */
class Stage {
  readonly #options: StageOptions;
  readonly #resolve: (report: StageReport) => void;
  readonly #reject: (error: unknown) => void;
  readonly #startedMs: number;
  readonly #followUps = new Set<Cancel>();
  #wake: Cancel = () => {};
  #planned = 0;
  #sent = 0;
  #capped = 0;
  #inFlight = 0;
  #done = false;
  #over = false;

  constructor(
    options: StageOptions,
    resolve: (report: StageReport) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#startedMs = options.clock.nowMs();
  }

  start(): void {
    const { sending } = this.#options;
    sending.addEventListener("abort", this.#stop, { once: true });
    if (sending.aborted) this.#stop();
    else this.#pump();
  }

  readonly #stop = (): void => {
    this.#done = true;
    for (const cancel of this.#followUps) cancel();
    this.#followUps.clear();
    this.#pump();
  };

  /** Sends everything that is due and sets the alarm for what comes next. */
  readonly #pump = (): void => {
    this.#wake();
    const { clock, pacer } = this.#options;
    for (let burst = 0; !this.#done; burst++) {
      const elapsedMs = clock.nowMs() - this.#startedMs;
      const pace = pacer.next(elapsedMs, this.#inFlight + this.#followUps.size, this.#planned);
      if (pace.kind === "full") return;
      if (pace.kind === "done") {
        this.#done = true;
        break;
      }
      const waitMs = pace.atMs - elapsedMs;
      if (waitMs > DUE_MS || burst === BURST_MAX) {
        this.#wake = clock.schedule(Math.max(0, waitMs), this.#pump);
        return;
      }
      this.#planned++;
      if (this.#inFlight >= IN_FLIGHT_MAX) this.#capped++;
      else this.#begin(this.#startedMs + pace.atMs, this.#planned - 1);
    }
    this.#finishIfIdle();
  };

  #begin(plannedMs: number, index: number): void {
    const { prompt, random } = this.#options;
    this.#send(plannedMs, prompt(random, index));
  }

  #send(plannedMs: number, prompt: Prompt): void {
    const { target, clock, label, finishing, onSend } = this.#options;
    const request: PlannedPrompt = { ...prompt, plannedMs, label };
    const lagMs = clock.nowMs() - plannedMs;
    this.#sent++;
    this.#inFlight++;
    onSend?.(plannedMs);
    target.send(request, finishing).then(
      (exchange) => {
        this.#ended(exchange, prompt, lagMs);
      },
      (error: unknown) => {
        this.#reject(error);
      },
    );
  }

  #ended(exchange: Exchange, prompt: Prompt, lagMs: number): void {
    const { onExchange, follow } = this.#options;
    this.#inFlight--;
    try {
      onExchange(exchange, lagMs, prompt);
      const next = this.#done ? null : (follow?.(exchange, prompt) ?? null);
      if (next !== null) this.#sendLater(next);
      this.#pump();
    } catch (error) {
      this.#reject(error);
    }
  }

  #sendLater({ afterMs, prompt }: FollowUp): void {
    const { clock } = this.#options;
    const dueMs = clock.nowMs() + afterMs;
    const cancel = clock.schedule(afterMs, () => {
      this.#followUps.delete(cancel);
      this.#send(dueMs, prompt);
    });
    this.#followUps.add(cancel);
  }

  #finishIfIdle(): void {
    if (this.#over || !this.#done || this.#inFlight > 0 || this.#followUps.size > 0) return;
    this.#over = true;
    this.#options.sending.removeEventListener("abort", this.#stop);
    this.#resolve({
      sent: this.#sent,
      capped: this.#capped,
      startedMs: this.#startedMs,
      endedMs: this.#options.clock.nowMs(),
    });
  }
}
