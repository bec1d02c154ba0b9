import type { IncomingMessage } from "node:http";
import type { InferenceRoute } from "../../engines/exchange.ts";
import { routeOfPath } from "../../engines/inference-routes.ts";
import { clientWishes, type ClientWishes } from "./client-wishes.ts";
import { type Hop, headerOf, upstreamHeaders } from "./headers.ts";
import type { HeldBody } from "./held-body.ts";
import { JsonPeek, type Peek } from "./json-peek.ts";
import type { MarkReader, SyntheticMark } from "../synthetic/synthetic-mark.ts";
import type { Target } from "./request-target.ts";
import { usageRequest, type UsageRequest } from "./usage-request.ts";

/** A request for a replica, body in hand. */
export interface InferenceRequest {
  /** Unique within this process's life: the record's id. */
  readonly id: string;
  readonly method: string;
  /** Path and query, as sent. */
  readonly target: string;
  readonly route: InferenceRoute;
  /** As they go to an engine, less what one replica alone is told. Flat list. */
  readonly headers: string[];
  /** Belongs to whoever read it, who releases it when the request is over. */
  readonly body: HeldBody;
  /** Empty when the body names none. */
  readonly model: string;
  readonly streamed: boolean;
  /** The client's own where it gave a usable one, else {@link id}. */
  readonly requestId: string;
  readonly session: string | null;
  /** Most tokens the answer may have, where the body says. */
  readonly outputTokensMax: number | null;
  /** What the client wants of the proxy, or what is wrong with how it says so. */
  readonly wishes: ClientWishes | string;
  /** How to ask for usage that the client did not ask for; `null` where nobody is to. */
  readonly usage: UsageRequest | null;
  /** Set on requests of our own sweeps alone. */
  readonly synthetic: SyntheticMark | null;
}

/** The newest name of the same bound first (OpenAI chat, responses, completions). */
const TOKENS_MAX = ["max_completion_tokens", "max_output_tokens", "max_tokens"] as const;
const WANTED = new Set(["model", "stream", "stream_options", ...TOKENS_MAX]);

/** What the body said, or why it is not one. */
export type BodyReading =
  | { readonly kind: "request"; readonly request: InferenceRequest }
  | { readonly kind: "broken"; readonly why: string };

/**
 * A look into the body of a request that should have one in JSON; `null` for any other. A compressed body is not looked
 * into: it goes to the engine as it is, and no bomb goes off here.
 */
export function peekFor(incoming: IncomingMessage, route: InferenceRoute): JsonPeek | null {
  const { headers } = incoming;
  if (incoming.method !== "POST" || (headers["content-encoding"] ?? "identity") !== "identity")
    return null;
  const isJson = route !== "other" || headers["content-type"]?.includes("json") === true;
  return isJson ? new JsonPeek(WANTED) : null;
}

/** Everything known of a request when its body is there. */
export interface RequestParts {
  readonly id: string;
  readonly target: Extract<Target, { kind: "path" }>;
  readonly hop: Hop;
  readonly body: HeldBody;
  /** What the look into the body found; `null` when nobody looked. */
  readonly peek: Peek | null;
  /** Knows requests of our own sweeps; without one there are none. */
  readonly marks?: MarkReader | undefined;
  /** Whether streaming engines are asked for usage on the client's behalf. */
  readonly requestsUsage: boolean;
}

/** Puts a request and its body together. */
export function readInferenceRequest(
  incoming: IncomingMessage,
  { id, target, hop, body, peek, marks, requestsUsage }: RequestParts,
): BodyReading {
  const isEmpty = body.length === 0;
  if (peek?.kind === "broken" && !isEmpty) return peek;
  const fields = peek?.kind === "object" && !isEmpty ? peek.fields : NO_FIELDS;
  const { rawHeaders, method = "GET" } = incoming;
  const headers = upstreamHeaders(rawHeaders, hop);
  const synthetic = marks?.read(rawHeaders) ?? null;
  if (method === "OPTIONS") countDown(headers);
  if (!isEmpty) headers.push("content-length", String(body.length));
  const route = routeOfPath(target.path);
  const streamed = fields.get("stream") === "true";
  const usage = requestsUsage && streamed ? usageRequest({ route, rawHeaders, peek }) : null;
  return {
    kind: "request",
    request: {
      id,
      method,
      target: target.forward,
      route,
      headers,
      body,
      model: textValue(fields.get("model")),
      streamed,
      requestId: hop.requestId,
      // Affinity is for users: a sweep leaves no trace in it.
      session: synthetic === null ? (headerOf(rawHeaders, "x-pitot-session") ?? null) : null,
      outputTokensMax: tokensMax(fields),
      wishes: clientWishes(rawHeaders),
      usage,
      synthetic,
    },
  };
}

const NO_FIELDS: ReadonlyMap<string, string> = new Map();

/** One hop fewer is left to go (RFC 9110 §7.6.2). */
function countDown(headers: string[]): void {
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index]?.toLowerCase() !== "max-forwards") continue;
    const left = Number(headers[index + 1]);
    if (Number.isInteger(left) && left > 0) headers[index + 1] = String(left - 1);
  }
}

function tokensMax(fields: ReadonlyMap<string, string>): number | null {
  for (const name of TOKENS_MAX) {
    const tokens = Number(fields.get(name));
    if (Number.isInteger(tokens) && tokens > 0) return tokens;
  }
  return null;
}

function textValue(raw: string | undefined): string {
  if (raw === undefined || !raw.startsWith('"')) return "";
  try {
    return String(JSON.parse(raw));
  } catch {
    return "";
  }
}
