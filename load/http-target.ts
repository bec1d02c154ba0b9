import { randomUUID } from "node:crypto";
import type { ConnectionOptions } from "node:tls";
import { type Dispatcher, Pool } from "undici";
import type { Clock } from "../engines/clock.ts";
import type { Engine, JsonObject } from "../engines/engine.ts";
import type { Exchange } from "../engines/exchange.ts";
import type { Ending } from "../engines/ending.ts";
import { ExchangeTimer } from "../engines/exchange-timer.ts";
import { withoutFields } from "./length-probe.ts";
import type { PlannedPrompt, Target } from "./target.ts";

export interface HttpTargetOptions {
  /** Origin of the engine or proxy. */
  readonly url: string;
  readonly model: string;
  /** Dialect of what answers; says how an exact length is asked for. */
  readonly engine: Engine;
  readonly clock: Clock;
  /** Asks for exactly the planned output length; otherwise it is only an upper bound. */
  readonly exactLength: boolean;
  /** Dialect that forces the length where it is not `engine`: a proxy speaks for engines of another. */
  readonly forceWith?: Engine;
  /** Fields of a forced length this engine refuses. */
  readonly refused?: readonly string[];
  /** Sent with every request, a flat list of names and values: keys, mostly. */
  readonly headers?: readonly string[];
  /** Name of a header that carries each request's label, for a proxy that records it. */
  readonly labelHeader?: string;
  /** Certificates, as node:tls takes them. */
  readonly connect?: Pick<
    ConnectionOptions,
    "ca" | "cert" | "key" | "rejectUnauthorized" | "servername"
  >;
}

/** An engine closes idle connections after 5 s; we must be first. */
const KEEP_ALIVE_MS = 3_000;
/** A busy engine may take its time with a probe; a hung one is not waited for. */
const POST_TIMEOUT_MS = 60_000;
const PATHS = { chat: "/v1/chat/completions", completions: "/v1/completions" } as const;

/** Synthetic requests over HTTP, timed by the same {@link ExchangeTimer} as real ones. */
export class HttpTarget implements Target {
  readonly label: string;
  readonly #options: HttpTargetOptions;
  readonly #pool: Pool;

  constructor(options: HttpTargetOptions) {
    this.#options = options;
    this.label = options.url;
    // No cap on connections: a hidden queue here would be measured as the engine's.
    this.#pool = new Pool(options.url, {
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      headersTimeout: 0,
      bodyTimeout: 0,
      ...(options.connect === undefined ? {} : { connect: { ...options.connect } }),
    });
  }

  send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange> {
    const { clock, engine, model, exactLength, forceWith = engine, headers } = this.#options;
    const { refused = [], labelHeader } = this.#options;
    const open = { model, ...prompt.body, stream: true, stream_options: { include_usage: true } };
    const full = exactLength
      ? withoutFields(forceWith.forceLength(open, prompt.outputTokens), refused)
      : { ...open, max_tokens: prompt.outputTokens };
    const body = JSON.stringify(full);
    const timer = new ExchangeTimer(
      {
        id: randomUUID(),
        origin: "synthetic",
        route: prompt.route,
        model,
        streamed: true,
        startedMs: prompt.plannedMs,
        bytesIn: body.length,
        label: prompt.label,
        session: prompt.session,
      },
      clock,
    );
    timer.routed(this.label, engine, null);
    return new Promise((resolve) => {
      const reception = new Reception(timer, signal, resolve);
      const labelled = labelHeader === undefined ? [] : [labelHeader, prompt.label];
      const session = prompt.session === null ? [] : ["x-pitot-session", prompt.session];
      this.#pool.dispatch(
        {
          path: PATHS[prompt.route],
          method: "POST",
          headers: [
            "content-type",
            "application/json",
            ...session,
            ...labelled,
            ...(headers ?? []),
          ],
          body,
        },
        reception,
      );
    });
  }

  /** One plain request outside any measurement: probes, the engine's tokenizer. */
  async post(path: string, body: JsonObject): Promise<{ status: number; body: string }> {
    const { headers = [] } = this.#options;
    const answer = await this.#pool.request({
      path,
      method: "POST",
      headers: ["content-type", "application/json", ...headers],
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(POST_TIMEOUT_MS),
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  }

  close(): Promise<void> {
    return this.#pool.destroy();
  }
}

/** Takes in one answer and ends its record once. */
class Reception implements Dispatcher.DispatchHandler {
  readonly #timer: ExchangeTimer;
  readonly #signal: AbortSignal;
  readonly #resolve: (exchange: Exchange) => void;
  #controller: Dispatcher.DispatchController | null = null;
  #ended = false;

  constructor(timer: ExchangeTimer, signal: AbortSignal, resolve: (exchange: Exchange) => void) {
    this.#timer = timer;
    this.#signal = signal;
    this.#resolve = resolve;
    signal.addEventListener("abort", this.#abort, { once: true });
    if (signal.aborted) this.#abort();
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#ended) controller.abort(new Error("aborted"));
    else this.#timer.connected();
  }

  onResponseStart(
    _controller: unknown,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200 || this.#ended) return;
    const type = headers["content-type"];
    this.#timer.headers(status, typeof type === "string" ? type : undefined);
  }

  onResponseData(_controller: unknown, chunk: Buffer): void {
    if (!this.#ended) this.#timer.chunk(chunk);
  }

  onResponseEnd(): void {
    this.#end({ kind: "answered" });
  }

  onResponseError(_controller: unknown, error: Error): void {
    const code = "code" in error ? String(error.code) : "";
    const unreachable = this.#controller === null || code === "ECONNREFUSED";
    this.#end({
      kind: "broken",
      code: unreachable ? "upstream_connect_failed" : "upstream_cut",
      status: null,
    });
  }

  readonly #abort = (): void => {
    this.#end({ kind: "cancelled" });
    this.#controller?.abort(new Error("aborted"));
  };

  #end(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal.removeEventListener("abort", this.#abort);
    this.#resolve(this.#timer.end(ending));
  }
}
