import type { IncomingMessage } from "node:http";
import type { InferenceRoute } from "../../engines/exchange.ts";
import { givenRequestId, headerOf } from "./headers.ts";
import { peekJson } from "./json-peek.ts";

/** A request for a replica, body in hand. */
export interface InferenceRequest {
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly route: InferenceRoute;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** Empty when the body names none. */
  readonly model: string;
  readonly streamed: boolean;
  readonly requestId: string | null;
  readonly session: string | null;
}

/** Routes whose meaning is known; every other path under /v1 travels as it is. */
const ROUTES: Readonly<Record<string, InferenceRoute>> = {
  "/v1/chat/completions": "chat",
  "/v1/completions": "completions",
  "/v1/responses": "responses",
  "/v1/messages": "messages",
  "/v1/embeddings": "embeddings",
  "/v1/rerank": "rerank",
  "/v1/score": "rerank",
  "/v1/tokenize": "tokenize",
  "/v1/detokenize": "tokenize",
};

const WANTED = new Set(["model", "stream"]);

/** The route of a path; `other` for what has no meaning to us. */
export function routeOf(path: string): InferenceRoute {
  return ROUTES[path] ?? "other";
}

/** What the body said, or why it is not one. */
export type BodyReading =
  | { readonly kind: "request"; readonly request: InferenceRequest }
  | { readonly kind: "broken"; readonly why: string };

/** Puts a request and its body together, looking into the JSON no further than `model` and `stream`. */
export function readInferenceRequest(incoming: IncomingMessage, body: Buffer): BodyReading {
  const target = incoming.url ?? "/";
  const route = routeOf(pathOf(target));
  const rawHeaders = incoming.rawHeaders;
  const shared = {
    method: incoming.method ?? "GET",
    target,
    route,
    rawHeaders,
    body,
    requestId: givenRequestId(rawHeaders),
    session: headerOf(rawHeaders, "x-pitot-session") ?? null,
  };
  const isJson =
    route !== "other" || headerOf(rawHeaders, "content-type")?.includes("json") === true;
  if (body.length === 0 || !isJson) {
    return { kind: "request", request: { ...shared, model: "", streamed: false } };
  }
  const peek = peekJson(body, WANTED);
  if (peek.kind === "broken") return peek;
  const model = textValue(peek.fields.get("model"));
  return {
    kind: "request",
    request: { ...shared, model, streamed: peek.fields.get("stream") === "true" },
  };
}

/** The path of a request target, query and origin left out. */
export function pathOf(target: string): string {
  const path = target.startsWith("/") ? target : target.replace(/^[a-z]+:\/\/[^/]*/i, "");
  return path.split(/[?#]/, 1)[0] ?? "/";
}

function textValue(raw: string | undefined): string {
  if (raw === undefined || !raw.startsWith('"')) return "";
  try {
    return String(JSON.parse(raw));
  } catch {
    return "";
  }
}
