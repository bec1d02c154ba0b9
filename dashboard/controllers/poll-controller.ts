import type { ReactiveController, ReactiveControllerHost } from "lit";
import { load, type Loaded, LOADING } from "../state/api.ts";

/** How an answer that grows is asked for in parts. */
export interface Growing<T> {
  /** Query that leaves out what this answer has; an empty one asks for all. */
  readonly since: (earlier: T) => string;
  /** The whole, of this answer and of what came when asked {@link since} it. */
  readonly join: (earlier: T, later: T) => T;
}

/** Asks one address of the API again and again while its host is on the page; an error is shown and asked over. */
export class PollController<T> implements ReactiveController {
  answer: Loaded<T> = LOADING;
  readonly #host: ReactiveControllerHost;
  readonly #everyMs: (answer: Loaded<T>) => number | null;
  readonly #isHeld: () => boolean;
  readonly #growing: Growing<T> | null;
  #path: string | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #stop = new AbortController();
  #isConnected = false;

  /**
   * `everyMs` is asked after each answer: what has ended is asked about less, or with `null` not again. While `isHeld` the
   * answer stays as it is; only the first is waited for, so that a page opened in a pause is not empty. `growing` asks for what
   * is new alone.
   */
  constructor(
    host: ReactiveControllerHost,
    everyMs: (answer: Loaded<T>) => number | null,
    isHeld: () => boolean = () => false,
    growing: Growing<T> | null = null,
  ) {
    this.#host = host;
    this.#everyMs = everyMs;
    this.#isHeld = isHeld;
    this.#growing = growing;
    host.addController(this);
  }

  /** What to ask about from now on; `null` for nothing. Asking the same again changes nothing. */
  ask(path: string | null): void {
    if (path === this.#path) return;
    this.#path = path;
    this.answer = LOADING;
    this.again();
  }

  /** Asks now rather than when the time has come. */
  again(): void {
    this.#end();
    if (this.#isConnected && this.#path !== null) void this.#fetch(this.#path);
  }

  hostConnected(): void {
    this.#isConnected = true;
    this.again();
  }

  hostDisconnected(): void {
    this.#isConnected = false;
    this.#end();
  }

  async #fetch(path: string): Promise<void> {
    const stop = new AbortController();
    this.#stop = stop;
    if (!this.#isHeld() || this.answer.kind !== "ready") {
      const answer = await this.#load(path, stop.signal);
      if (stop.signal.aborted) return;
      this.answer = answer;
      this.#host.requestUpdate();
    }
    const waitMs = this.#everyMs(this.answer);
    if (waitMs !== null) this.#timer = setTimeout(() => void this.#fetch(path), waitMs);
  }

  async #load(path: string, signal: AbortSignal): Promise<Loaded<T>> {
    const growing = this.#growing;
    const before = this.answer;
    if (growing === null || before.kind !== "ready") return load<T>(path, signal);
    const answer = await load<T>(path + growing.since(before.value), signal);
    if (answer.kind !== "ready") return answer;
    return { ...answer, value: growing.join(before.value, answer.value) };
  }

  #end(): void {
    this.#stop.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
