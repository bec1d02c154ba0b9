/** One way the proxy itself answers badly. */
export interface ErrorRow {
  readonly status: number;
  /** Whether the same request may succeed a little later: such answers carry `retry-after`. */
  readonly retryable: boolean;
  /** What happened and what to do. */
  readonly sentence: string;
}

/** Every error of ours. Codes are stable; clients and tests lean on them, never on the sentences. */
export const errors = {
  no_replica_available: row(
    503,
    true,
    "No replica is available for this model: check that the engines run and are reachable.",
  ),
  queue_full: row(429, true, "The waiting queue is full: retry later or add replicas."),
  queue_timeout: row(
    503,
    true,
    "The request waited too long for a free replica: retry later or add replicas.",
  ),
  first_token_timeout: row(
    504,
    false,
    "The engine produced no token within the limit: shorten the prompt or raise timeouts.firstTokenMs.",
  ),
  upstream_connect_failed: row(
    502,
    true,
    "The engine could not be reached: check its address and that it runs.",
  ),
  upstream_cut: row(502, false, "The engine closed the connection before its answer was complete."),
  upstream_stalled: row(504, false, "The engine went silent in the middle of its answer."),
  upstream_malformed: row(502, false, "The engine answered something that is not HTTP."),
  model_not_found: row(
    404,
    false,
    "No replica serves this model: GET /v1/models lists those that are served.",
  ),
  body_too_large: row(413, false, "The request body is larger than the limit."),
  invalid_json: row(400, false, "The request body is not valid JSON."),
  unauthorized: row(401, false, "The API key is missing or unknown."),
  forbidden: row(
    403,
    false,
    "This route controls an engine and is not reachable through the proxy.",
  ),
  rate_limited: row(429, true, "This key has used up its rate: retry later."),
  draining: row(503, true, "The proxy is shutting down: retry on another instance."),
  overloaded: row(503, true, "The proxy is at its memory or connection limit: retry later."),
  deadline_exceeded: row(
    504,
    false,
    "The request did not finish within its time: raise x-pitot-timeout-ms or timeouts.totalMs.",
  ),
  internal_error: row(500, false, "The proxy failed over this request: its log says why."),
  not_found: row(404, false, "There is no such route."),
  method_not_allowed: row(405, false, "This route does not take this method."),
  request_timeout: row(408, false, "The request did not arrive completely in time."),
  headers_too_large: row(431, false, "The request has too many or too large headers."),
  bad_request: row(400, false, "The request is not well-formed HTTP."),
  expectation_failed: row(417, false, "The only expectation met is 100-continue."),
  upgrade_not_supported: row(
    501,
    false,
    "Connections are not upgraded here: WebSocket routes of an engine are reached directly.",
  ),
  version_not_supported: row(505, false, "Only HTTP/1.1 and HTTP/1.0 are spoken here."),
  loop_detected: row(
    508,
    false,
    "The request has been through this proxy before: a replica's URL leads back to it.",
  ),
} satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof errors;

/** Seconds after which a retryable request is worth repeating when nothing better is known. */
export const RETRY_AFTER_SECONDS = 1;

/** What tells a client when to come back: in seconds for HTTP, in ms for the official SDKs. */
export function retryHeaders(waitMs: number): Record<string, string> {
  return { "retry-after": String(Math.ceil(waitMs / 1000)), "retry-after-ms": String(waitMs) };
}

/** The OpenAI-shaped body of an error of ours. */
export function errorBody(code: ErrorCode, detail?: string): string {
  const message = detail ?? errors[code].sentence;
  return JSON.stringify({ error: { message, type: "pitot_error", param: null, code } });
}

/** The same as an event for a stream that had already begun. There is no `[DONE]` after it. */
export function errorEvent(code: ErrorCode): string {
  return `data: ${errorBody(code)}\n\n`;
}

function row(status: number, retryable: boolean, sentence: string): ErrorRow {
  return { status, retryable, sentence };
}
