import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import type { JsonValue } from "../engine.ts";
import { forkRandom, normal, type Random } from "../random.ts";
import type { EngineCore } from "./engine-core.ts";
import { type Fault, findFault } from "./faults.ts";
import { Generation, type LedgerRow } from "./generation.ts";
import { BodyError, type InferenceBody, readInferenceBody } from "./inference-body.ts";
import { type LatencyHistograms, sglangBorders, vllmBorders } from "./latency-histograms.ts";
import type { Persona } from "./personas/persona.ts";
import { hashText } from "./text.ts";

/** What the desk needs to know of the engine it answers for. */
export interface DeskOptions {
  readonly persona: Persona;
  readonly core: EngineCore;
  readonly clock: Clock;
  /** The name the model is served under. */
  readonly model: string;
  readonly speed: number;
  readonly seed: number;
  readonly fixedIds: boolean;
}

/** Requests the engine remembers for tests and for the curious. */
export const LEDGER_ROWS_MAX = 10_000;
/** Largest request body taken. */
const BODY_BYTES_MAX = 67_108_864;
/** Output tokens of a text completion when the client sets no bound: the API's own default. */
const COMPLETION_TOKENS_DEFAULT = 16;
/** Where a conversation ends by itself: about the output lengths of recorded chat traffic. */
const NATURAL_TOKENS_MEDIAN = 130;
const NATURAL_SPREAD = 0.9;
/** Creation time of answers whose ids are fixed. */
const FIXED_CREATED = 1_787_000_000;

/** Takes chat and text completions, checks them as the persona would, and has the engine core produce them. */
export class InferenceDesk {
  /** The last {@link LEDGER_ROWS_MAX} requests, oldest first. */
  readonly ledger: LedgerRow[] = [];
  readonly latency: LatencyHistograms;
  faults: readonly Fault[] = [];
  readonly #options: DeskOptions;
  readonly #lengths: Random;

  constructor(options: DeskOptions) {
    this.#options = options;
    this.latency = options.persona.name === "sglang" ? sglangBorders() : vllmBorders();
    this.#lengths = forkRandom(options.seed, "lengths");
  }

  /** Answers one request, however long it takes. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, persona } = this.#options;
    const receivedMs = clock.nowMs();
    const body = await this.#read(request, response);
    if (body === null) return;
    const status = findFault(this.faults, "status");
    if (status !== null) {
      if (status.retryAfterSeconds !== undefined)
        response.setHeader("retry-after", String(status.retryAfterSeconds));
      return sendJson(
        response,
        status.status,
        persona.error(status.status, "refused on purpose", null),
      );
    }
    if (findFault(this.faults, "garbage") !== null) {
      response.writeHead(200, {
        "content-type": body.streamed ? "text/event-stream" : "application/json",
      });
      response.end(body.streamed ? "data: {not json\n\n" : "<html>not json</html>");
      return;
    }
    const headers = findFault(this.faults, "slow-headers");
    if (headers !== null) await clock.after(headers.delayMs);
    if (!response.destroyed) this.#generate(body, request, response, receivedMs);
  }

  /** The request's body, or `null` after a refusal. */
  async #read(request: IncomingMessage, response: ServerResponse): Promise<InferenceBody | null> {
    const { persona } = this.#options;
    try {
      const body = readInferenceBody(await readBody(request), isChat(request));
      const refusal = this.#refusalOf(body);
      if (refusal === null) return body;
      sendJson(
        response,
        refusal.status,
        persona.error(refusal.status, refusal.message, refusal.param),
      );
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      sendJson(response, 400, persona.error(400, error.message, error.param));
    }
    return null;
  }

  #refusalOf(body: InferenceBody): { status: number; message: string; param: string } | null {
    const { model, core, persona } = this.#options;
    const { checksModel, strictFields, name } = persona;
    const context = core.options.machine.model.contextTokens;
    if (checksModel && body.model !== "" && body.model !== model) {
      return {
        status: 404,
        message: `The model \`${body.model}\` does not exist.`,
        param: "model",
      };
    }
    const stranger =
      strictFields === null ? undefined : body.fields.find((field) => !strictFields.has(field));
    if (stranger !== undefined) {
      return {
        status: 400,
        message: `[{'type': 'extra_forbidden', 'loc': ('body', '${stranger}'), 'msg': 'Extra inputs are not permitted'}]`,
        param: stranger,
      };
    }
    if (
      body.streamOptions !== null &&
      !body.streamed &&
      (name === "vllm" || name === "tensorrt-llm")
    ) {
      return {
        status: 400,
        message: "Stream options can only be defined when `stream=True`.",
        param: "stream_options",
      };
    }
    const input = body.promptIds.length;
    const output = body.outputTokensMax ?? 0;
    if (input + output <= context) return null;
    return {
      status: 400,
      message: `This model's maximum context length is ${context} tokens. However, you requested ${output} output tokens and your prompt contains ${input} input tokens, for a total of ${input + output} tokens.`,
      param: "input_tokens",
    };
  }

  #generate(
    body: InferenceBody,
    request: IncomingMessage,
    response: ServerResponse,
    receivedMs: number,
  ): void {
    const { persona, core, clock, model } = this.#options;
    const { profile } = core.options.machine;
    const chat = isChat(request);
    const faults = this.faults;
    const { outputTokens, reason } = this.#lengthOf(body, chat);
    const row = this.#open(this.#idOf(body, request), receivedMs, body);
    const created = this.#options.fixedIds ? FIXED_CREATED : Math.floor(receivedMs / 1000);
    const generation = new Generation({
      persona,
      frames: chat ? persona.chat : persona.completions,
      body,
      answer: { id: row.id, model: body.model || model, created },
      outputTokens,
      reason,
      response,
      row,
      faults,
      cachedTokens: () => submitted.cachedTokens(),
      nowMs: () => clock.nowMs(),
    });
    const submitted = core.submit(
      {
        id: row.id,
        promptIds: body.promptIds,
        outputTokens,
        outputTokensMax: body.outputTokensMax ?? outputTokens,
        apiMs: chat ? profile.chatApiMs : profile.apiMs,
      },
      this.#observed(generation, row),
    );
    generation.abort = submitted.abort;
    response.on("close", () => {
      if (response.writableFinished || row.finishedMs !== null) return;
      row.abortedMs = clock.nowMs();
      if (findFault(faults, "zombie") !== null) return;
      const { streamed, whole } = persona.abortAfterMs;
      clock.schedule((body.streamed ? streamed : whole) / this.#options.speed, submitted.abort);
    });
  }

  #open(id: string, receivedMs: number, body: InferenceBody): LedgerRow {
    const row: LedgerRow = {
      id,
      receivedMs,
      inputTokens: body.promptIds.length,
      cachedTokens: 0,
      outputTokens: 0,
      firstTokenMs: null,
      lastTokenMs: null,
      abortedMs: null,
      finishedMs: null,
    };
    this.ledger.push(row);
    if (this.ledger.length > LEDGER_ROWS_MAX) this.ledger.shift();
    return row;
  }

  /** Keeps the engine's own histograms while the answer is written. */
  #observed(generation: Generation, row: LedgerRow): Generation {
    const { ttft, interToken, endToEnd } = this.latency;
    const write = generation.tokens.bind(generation);
    generation.tokens = (count, total) => {
      const beforeMs = row.lastTokenMs;
      write(count, total);
      const nowMs = row.lastTokenMs ?? 0;
      if (beforeMs === null) ttft.observe((nowMs - row.receivedMs) / 1000);
      else interToken.observe((nowMs - beforeMs) / 1000);
    };
    const finish = generation.finished.bind(generation);
    generation.finished = (atMs) => {
      finish(atMs);
      endToEnd.observe((atMs - row.receivedMs) / 1000);
    };
    return generation;
  }

  #lengthOf(body: InferenceBody, chat: boolean): { outputTokens: number; reason: string } {
    const room = this.#options.core.options.machine.model.contextTokens - body.promptIds.length;
    const max = Math.min(room, body.outputTokensMax ?? (chat ? room : COMPLETION_TOKENS_DEFAULT));
    if (body.ignoresEnd) return { outputTokens: max, reason: "length" };
    const random = this.#options.fixedIds ? forkRandom(body.key, "length") : this.#lengths;
    const natural = Math.round(NATURAL_TOKENS_MEDIAN * Math.exp(NATURAL_SPREAD * normal(random)));
    const wanted = Math.max(1, body.outputTokensMin, natural);
    return wanted >= max
      ? { outputTokens: max, reason: "length" }
      : { outputTokens: wanted, reason: "stop" };
  }

  #idOf(body: InferenceBody, request: IncomingMessage): string {
    const given = request.headers["x-request-id"];
    const raw = this.#options.fixedIds
      ? hashText(`${body.key}`).toString(16).padStart(32, "0")
      : randomUUID().replaceAll("-", "");
    if (this.#options.persona.name === "sglang") return raw;
    const base =
      this.#options.persona.name === "vllm" && !this.#options.fixedIds && typeof given === "string"
        ? given
        : raw;
    return `${isChat(request) ? "chatcmpl" : "cmpl"}-${base}`;
  }
}

/** Sends a JSON answer, or cuts the connection when one has begun. */
export function sendJson(response: ServerResponse, status: number, value: JsonValue): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const text = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
}

/** The whole body as text. @throws {BodyError} when it is larger than anything sensible. */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) throw new BodyError("body", "the request body is too large.");
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString();
}

function isChat(request: IncomingMessage): boolean {
  return request.url?.startsWith("/v1/chat") === true;
}
