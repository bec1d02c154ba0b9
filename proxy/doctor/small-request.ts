import { randomUUID } from "node:crypto";
import type { Clock } from "../../engines/clock.ts";
import type { Engine, JsonObject } from "../../engines/engine.ts";
import { e2eMs, type Exchange, tpotMs, ttftMs } from "../../engines/exchange.ts";
import { ExchangeTimer } from "../../engines/exchange-timer.ts";
import { parseFields } from "../../engines/json-fields.ts";
import { errorOf } from "../../engines/wire-error.ts";
import type { Connection } from "../upstream/connection.ts";
import { reasonOf } from "../upstream/probe.ts";
import type { TokenFacts } from "./examination.ts";

/** Output asked for: enough to see a stream flow, less than a tenth of a second of any engine. */
const OUTPUT_TOKENS = 16;
/** Longer than any block of a prefix cache (TensorRT-LLM's is 32 tokens), so that its second sending can hit one. */
const PROMPT =
  "A pitot tube faces into the airstream in front of an engine and measures it without slowing it. Its opening meets the flow head on, a second one stands across it, " +
  "and the difference of the two pressures tells the speed. It was invented by Henri Pitot in 1732, who held it into the Seine, and it has been on every aircraft since. " +
  "Say in one sentence what would happen to the reading if its opening were blocked by ice while its drain hole stayed open, and how a pilot would notice.";
const PATHS = { chat: "/v1/chat/completions", completions: "/v1/completions" } as const;
/** An error's own words are told up to this length. */
const WORDS_MAX = 200;

type Route = keyof typeof PATHS;

interface Answer {
  readonly exchange: Exchange;
  readonly pieces: number;
  /** What went wrong, in the engine's own words; `null` when nothing did. */
  readonly fault: string | null;
}

export interface Asked {
  readonly connection: Connection;
  readonly engine: Engine;
  readonly model: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Sends the same small prompt twice and tells how the answers were counted, or what went wrong. */
export async function askTwice(asked: Asked): Promise<TokenFacts | string> {
  const first = await askOnEither(asked);
  if (first.fault !== null) return first.fault;
  const route = first.exchange.route as Route;
  const second = await ask(asked, route);
  if (second.fault !== null) return second.fault;
  const { tokens, outputEvents } = second.exchange;
  return {
    route,
    countedBy: tokens.countedBy,
    inputTokens: tokens.input,
    outputTokens: tokens.output,
    cachedInputTokens: tokens.cachedInput,
    outputEvents,
    pieces: Math.max(first.pieces, second.pieces),
    e2eMs: Math.max(e2eMs(first.exchange), e2eMs(second.exchange)),
    ttftMs: least(ttftMs(first.exchange), ttftMs(second.exchange)),
    tpotMs: least(paceOf(first), paceOf(second)),
  };
}

/** A base model has no chat template, and its engine refuses the chat route: text completion may still work. */
async function askOnEither(asked: Asked): Promise<Answer> {
  const chat = await ask(asked, "chat");
  const isRefused = chat.exchange.outcome.kind === "rejected";
  if (!isRefused || asked.signal.aborted) return chat;
  const text = await ask(asked, "completions");
  return text.fault === null ? text : chat;
}

async function ask(asked: Asked, route: Route): Promise<Answer> {
  const { connection, engine, model, clock, signal } = asked;
  const body = JSON.stringify(engine.forceLength(bodyOf(route, model), OUTPUT_TOKENS));
  const timer = new ExchangeTimer(
    {
      id: randomUUID(),
      origin: "probe",
      route,
      model,
      streamed: true,
      startedMs: clock.nowMs(),
      bytesIn: body.length,
    },
    clock,
  );
  timer.routed("doctor", engine, null);
  const pieces: Buffer[] = [];
  try {
    const answer = await connection.pool.request({
      path: PATHS[route],
      method: "POST",
      headers: ["content-type", "application/json", ...connection.headers],
      body,
      signal,
    });
    const type = answer.headers["content-type"];
    timer.headers(answer.statusCode, typeof type === "string" ? type : undefined);
    for await (const piece of answer.body as AsyncIterable<Buffer>) {
      timer.chunk(piece);
      pieces.push(piece);
    }
    const exchange = timer.end({ kind: "answered" });
    return { exchange, pieces: pieces.length, fault: faultOf(exchange, pieces, route) };
  } catch (error) {
    const exchange = timer.end({ kind: "broken", code: "upstream_cut", status: null });
    const fault = `${PATHS[route]}: ${signal.aborted ? "no answer in time" : reasonOf(error)}`;
    return { exchange, pieces: pieces.length, fault };
  }
}

function bodyOf(route: Route, model: string): JsonObject {
  const input =
    route === "chat" ? { messages: [{ role: "user", content: PROMPT }] } : { prompt: PROMPT };
  return { model, ...input, stream: true, stream_options: { include_usage: true } };
}

/** Why an answer is none: its status, its error event, or that it held no output. */
function faultOf(exchange: Exchange, pieces: readonly Buffer[], route: Route): string | null {
  const { outcome, status, outputEvents } = exchange;
  if (outcome.kind === "completed" && outputEvents > 0) return null;
  const words = errorWords(Buffer.concat(pieces).toString());
  const what =
    status === 200
      ? `${PATHS[route]} failed within its stream`
      : `${PATHS[route]} answered ${status}`;
  if (words !== null) return `${what}: ${words}`;
  if (outcome.kind !== "completed")
    return status === 200 ? `${PATHS[route]} broke off its stream` : what;
  return `${PATHS[route]} answered ${status} without any streamed output`;
}

function errorWords(text: string): string | null {
  const json = text.startsWith("{") ? text : (/^data: (\{.*"error".*\})$/m.exec(text)?.[1] ?? "");
  const error = errorOf(parseFields(json) ?? {});
  return error === null || error.message === "" ? null : error.message.slice(0, WORDS_MAX);
}

/** Tokens that came in one piece have no pace: all of them arrived at once. */
function paceOf({ exchange, pieces }: Answer): number | null {
  return pieces > 1 ? tpotMs(exchange) : null;
}

function least(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
