import { request } from "undici";
import type { Random } from "../../../engines/random.ts";
import type { WebhookOptions } from "../options.ts";
import { alertmanagerBody, genericBody, type Notice, slackBody } from "./notice.ts";

/** Tries at one notice in all: with the waits below about two minutes. */
const TRIES_MAX = 6;
const FIRST_WAIT_MS = 2_000;
const WAIT_MAX_MS = 60_000;
const ANSWER_WITHIN_MS = 5_000;
/** Alerts waiting for one receiver; each promise has two at most. */
const NOTICES_MAX = 200;
/** Alertmanager forgets a firing alert that is not told again. */
const REPEAT_MS = 60_000;

const BODY_OF = {
  generic: genericBody,
  slack: slackBody,
  alertmanager: alertmanagerBody,
} as const satisfies Record<WebhookOptions["kind"], (notice: Notice) => object>;

/** What a try came to. */
type Delivery = "delivered" | "later" | "refused";

/**
 * One receiver. Notices go out one at a time, each tried a few times with growing waits. A newer notice of the same alert
 * takes the place of one that waits, and what the receiver has been told already is not told again.
 */
export class Hook {
  dropped = 0;
  readonly #options: WebhookOptions;
  readonly #random: Random;
  readonly #onGivenUp: (message: string) => void;
  readonly #waiting = new Map<string, Notice>();
  /** State each alert was last told in. */
  readonly #told = new Map<string, Notice["state"]>();
  readonly #firing = new Map<string, { notice: Notice; toldMs: number }>();
  #tries = 0;
  #dueMs = 0;
  #sending: Promise<void> | null = null;

  constructor(options: WebhookOptions, random: Random, onGivenUp: (message: string) => void) {
    this.#options = options;
    this.#random = random;
    this.#onGivenUp = onGivenUp;
  }

  offer(notice: Notice): void {
    const { key, state } = notice;
    if (state === "resolved") this.#firing.delete(key);
    this.#waiting.delete(key);
    // It came and went before anybody could be told of it, or was told already.
    if ((this.#told.get(key) ?? "resolved") === state) return;
    if (this.#waiting.size >= NOTICES_MAX) this.dropped++;
    else this.#waiting.set(key, notice);
  }

  /** Begins the next try when it is due. */
  tick(nowMs: number): void {
    if (this.#options.kind === "alertmanager") this.#repeat(nowMs);
    if (this.#sending !== null || nowMs < this.#dueMs) return;
    const next = this.#waiting.entries().next().value;
    if (next === undefined) return;
    this.#sending = this.#try(next[1], nowMs).finally(() => {
      this.#sending = null;
    });
  }

  /** Waits for the try under way. */
  async stop(): Promise<void> {
    await this.#sending;
    this.dropped += this.#waiting.size;
    this.#waiting.clear();
  }

  #repeat(nowMs: number): void {
    for (const [key, { notice, toldMs }] of this.#firing) {
      if (nowMs - toldMs < REPEAT_MS || this.#waiting.has(key)) continue;
      this.#waiting.set(key, { ...notice, atMs: nowMs });
    }
  }

  async #try(notice: Notice, nowMs: number): Promise<void> {
    const { key, state } = notice;
    const delivery = await this.#send(notice);
    if (delivery === "later" && ++this.#tries < TRIES_MAX) {
      const wait = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** (this.#tries - 1));
      // Half of it at random, so that many proxies do not come back at once.
      this.#dueMs = nowMs + wait * (0.5 + this.#random.next() / 2);
      return;
    }
    this.#tries = 0;
    if (this.#waiting.get(key) === notice) this.#waiting.delete(key);
    if (delivery !== "delivered") {
      this.dropped++;
      this.#onGivenUp(
        `the ${this.#options.kind} webhook at ${new URL(this.#options.url).host} was not told that ${key} is ${state}`,
      );
      return;
    }
    this.#told.set(key, state);
    if (state === "firing") this.#firing.set(key, { notice, toldMs: nowMs });
  }

  async #send(notice: Notice): Promise<Delivery> {
    const { kind, url, headers = {} } = this.#options;
    const target = kind === "alertmanager" ? `${url.replace(/\/+$/, "")}/api/v2/alerts` : url;
    try {
      const answer = await request(target, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(BODY_OF[kind](notice)),
        headersTimeout: ANSWER_WITHIN_MS,
        bodyTimeout: ANSWER_WITHIN_MS,
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      });
      await answer.body.dump();
      if (answer.statusCode < 300) return "delivered";
      const isTheirs =
        answer.statusCode >= 500 || answer.statusCode === 429 || answer.statusCode === 408;
      return isTheirs ? "later" : "refused";
    } catch {
      return "later";
    }
  }
}
