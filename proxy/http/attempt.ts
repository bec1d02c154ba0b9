import type { ServerResponse } from "node:http";
import type { Dispatcher } from "undici";
import type { Clock } from "../../engines/clock.ts";
import type { ExchangeTimer } from "../../engines/exchange-timer.ts";
import type { ErrorCode } from "../errors.ts";
import { reasonOf } from "../upstream/probe.ts";
import type { Replica } from "../upstream/replica.ts";
import type { Watched } from "./deadlines.ts";
import { downstreamHeaders, headerOf, rawText, withReplicaHeaders } from "./headers.ts";
import type { InferenceRequest } from "./inference-request.ts";

/** How one try at one replica came out. */
export type AttemptResult =
  /** The whole answer was written to the client. */
  | { readonly kind: "answered" }
  /** Nothing of it reached the client: another replica may try. */
  | {
      readonly kind: "unanswered";
      readonly code: ErrorCode;
      readonly why: string;
      readonly status: number | null;
    }
  /** Part of it reached the client. */
  | { readonly kind: "broken"; readonly code: ErrorCode; readonly isStream: boolean }
  | { readonly kind: "cancelled" };

export interface AttemptParts {
  readonly request: InferenceRequest;
  readonly response: ServerResponse;
  readonly timer: ExchangeTimer;
  readonly replica: Replica;
  readonly clock: Clock;
  /** 1 for the first try. */
  readonly number: number;
  /** Whether an answer of this status should rather be asked of another replica. */
  readonly mayRetry: (status: number) => boolean;
}

/** Thrown into undici to end a request on purpose; never seen outside. */
class Ended extends Error {
  override readonly name = "Ended";
}

/**
 * One try at one replica: sends the request and passes the answer on, each chunk to the client before the meter sees it.
 * Resolves exactly once, however it ends.
 */
export class Attempt implements Dispatcher.DispatchHandler, Watched {
  readonly timer: ExchangeTimer;
  readonly attemptStartedMs: number;
  blockedSinceMs: number | null = null;
  readonly #parts: AttemptParts;
  #controller: Dispatcher.DispatchController | null = null;
  #resolve: (result: AttemptResult) => void = () => {};
  #result: AttemptResult | null = null;
  #status: number | null = null;
  #isStream = false;
  #sent = false;
  #writeHead: (() => void) | null = null;

  constructor(parts: AttemptParts) {
    this.#parts = parts;
    this.timer = parts.timer;
    this.attemptStartedMs = parts.clock.nowMs();
  }

  run(): Promise<AttemptResult> {
    const { request, replica } = this.#parts;
    return new Promise((resolve) => {
      this.#resolve = resolve;
      replica.pool.dispatch(
        {
          path: request.target,
          method: request.method,
          headers: withReplicaHeaders(request.headers, replica.headers),
          // undici takes any iterable of buffers (docs/docs/api/Dispatcher.md, DispatchOptions); its types do not say so.
          body: request.body.payload() as Buffer | null,
        },
        this,
      );
    });
  }

  /** The client went away: close the engine's socket so that it stops generating. */
  cancel(): void {
    this.#finish({ kind: "cancelled" });
  }

  expire(code: ErrorCode | "client"): void {
    if (code === "client") this.#parts.response.destroy();
    else this.#fail(code, "time limit");
  }

  /** The replica was taken out of service with this request on it. */
  cut(): void {
    this.#fail("upstream_cut", "replica disabled");
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#result === null) this.timer.connected();
    else controller.abort(new Ended());
  }

  /** undici has written the whole request. */
  onRequestSent(): void {
    this.#sent = true;
    if (this.#parts.response.headersSent) this.#parts.request.body.spent();
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
    message?: string,
  ): void {
    if (status < 200 || this.#result !== null) return;
    const { replica, clock, mayRetry } = this.#parts;
    const raw = rawText((controller.rawHeaders ?? []) as Buffer[]);
    const type = headerOf(raw, "content-type");
    this.#status = status;
    this.#isStream = type?.startsWith("text/event-stream") === true;
    replica.lastByteMs = clock.nowMs();
    this.timer.headers(status, type);
    if (mayRetry(status)) {
      this.#finish({
        kind: "unanswered",
        code: "no_replica_available",
        why: `answered ${status}`,
        status,
      });
      return;
    }
    const headers = [...downstreamHeaders(raw, status), ...this.#ownHeaders(raw, status)];
    // Engines send headers long before the first token. They are held until there is a byte to go with them, because
    // up to then another replica may still answer.
    this.#writeHead = () => {
      this.#writeHead = null;
      // From here on there is no other try.
      if (this.#sent) this.#parts.request.body.spent();
      this.#parts.response.writeHead(status, message ?? "", headers);
    };
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#result !== null) return;
    const { response, replica, clock } = this.#parts;
    this.#writeHead?.();
    const hasRoom = response.write(chunk);
    this.timer.chunk(chunk);
    replica.lastByteMs = this.timer.lastActivityMs;
    if (hasRoom) return;
    controller.pause();
    this.blockedSinceMs = clock.nowMs();
    response.once("drain", () => {
      this.blockedSinceMs = null;
      controller.resume();
    });
  }

  onResponseEnd(): void {
    if (this.#result !== null) return;
    this.#writeHead?.();
    this.#parts.response.end();
    this.#finish({ kind: "answered" });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(this.#codeOf(error), reasonOf(error));
  }

  #codeOf(error: Error): ErrorCode {
    const code = "code" in error ? String(error.code) : "";
    if (error.name === "HTTPParserError" || code.startsWith("HPE_")) return "upstream_malformed";
    return this.#controller === null ? "upstream_connect_failed" : "upstream_cut";
  }

  #fail(code: ErrorCode, why: string): void {
    if (this.#parts.response.headersSent)
      this.#finish({ kind: "broken", code, isStream: this.#isStream });
    else this.#finish({ kind: "unanswered", code, why, status: this.#status });
  }

  #finish(result: AttemptResult): void {
    if (this.#result !== null) return;
    this.#result = result;
    if (result.kind !== "answered") this.#controller?.abort(new Ended());
    this.#resolve(result);
  }

  #ownHeaders(raw: readonly string[], status: number): string[] {
    const { request, replica, number, timer } = this.#parts;
    const own = [
      "x-pitot-replica",
      replica.id,
      "x-pitot-attempts",
      String(number),
      "server-timing",
      timer.serverTiming(),
    ];
    if (headerOf(raw, "x-request-id") === undefined) own.push("x-request-id", request.requestId);
    if (status >= 400) own.push("x-pitot-error-source", "upstream");
    return own;
  }
}
