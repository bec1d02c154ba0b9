import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Cancel, Clock } from "../clock.ts";
import { forkRandom, normal, type Random } from "../random.ts";
import { AnswerPlan } from "./answer-plan.ts";
import { BodyError } from "./body-error.ts";
import type { Books, LedgerRow } from "./books.ts";
import type { BuiltCore } from "./core.ts";
import type { Submitted } from "./engine-core.ts";
import { type Fault, findFault } from "./faults.ts";
import type { FaultSwitch } from "./fault-switch.ts";
import { Generation } from "./generation.ts";
import {
  FIXED_CREATED,
  type InferenceBody,
  readInferenceBody,
  stableId,
} from "./inference-body.ts";
import { bodyRefusal, contentTypeRefusal, misbehaves } from "./refusals.ts";
import { readBody, sendJson } from "./json-answer.ts";
import type { Ledger } from "./ledger.ts";
import type { Answer } from "./personas/answer-writer.ts";
import type { Inference, Persona, Refusal, SlotView } from "./personas/persona.ts";
import type { Vocabulary } from "./text.ts";

/** What the desk needs to know of the engine it answers for. */
export interface DeskOptions {
  readonly persona: Persona;
  readonly built: BuiltCore;
  readonly books: Books;
  readonly ledger: Ledger;
  readonly faults: FaultSwitch;
  readonly vocabulary: Vocabulary;
  readonly clock: Clock;
  /** The name the model is served under. */
  readonly model: string;
  readonly speed: number;
  readonly seed: number;
  readonly fixedIds: boolean;
}

/** Output tokens of a text completion when the client sets no bound: the API's own default. */
const COMPLETION_TOKENS_DEFAULT = 16;
/** Where a conversation ends by itself: about the output lengths of recorded chat traffic. */
const NATURAL_TOKENS_MEDIAN = 130;
const NATURAL_SPREAD = 0.9;

/** A request under way, for pages that show what each slot does and for operators who abort. */
interface Open {
  readonly row: LedgerRow;
  readonly outputTokensMax: number;
  readonly abort: Cancel;
}

/** A request that was read and is to be answered. */
interface Ask {
  readonly body: InferenceBody;
  readonly inference: Inference;
  readonly path: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly receivedMs: number;
  readonly met: readonly Fault[];
}

/** Takes generating requests, checks them as the persona would, and has the engine core produce them. */
export class InferenceDesk {
  readonly #options: DeskOptions;
  readonly #lengths: Random;
  readonly #open = new Set<Open>();

  constructor(options: DeskOptions) {
    this.#options = options;
    this.#lengths = forkRandom(options.seed, "lengths");
  }

  /** Requests under way, oldest first. */
  slots(): readonly SlotView[] {
    return [...this.#open].map(({ row, outputTokensMax }) => ({
      id: row.id,
      running: row.scheduledMs !== null,
      promptTokens: row.inputTokens,
      cachedTokens: row.cachedTokens,
      promptDone: row.firstTokenMs === null ? 0 : row.inputTokens,
      outputTokens: row.outputTokens,
      outputTokensMax,
    }));
  }

  /** Takes everything out of the engine; returns how many there were. */
  abortAll(): number {
    const all = [...this.#open];
    for (const { abort } of all) abort();
    return all.length;
  }

  /** Answers one request, however long it takes. */
  async answer(
    request: IncomingMessage,
    response: ServerResponse,
    { path, inference }: { readonly path: string; readonly inference: Inference },
  ): Promise<void> {
    const { clock, persona, faults } = this.#options;
    const receivedMs = clock.nowMs();
    const met = faults.meeting(path);
    const body = await this.#read(request, response, inference);
    if (body === null || misbehaves(response, met, persona, body.streamed)) return;
    const headers = findFault(met, "slow-headers");
    if (headers !== null) await clock.after(headers.delayMs);
    if (response.destroyed) return;
    if (findFault(met, "queue-full") !== null)
      return this.#overload({ body, inference, path, request, response, receivedMs, met });
    this.#generate({ body, inference, path, request, response, receivedMs, met });
  }

  /** The request's body, or `null` after a refusal. */
  async #read(
    request: IncomingMessage,
    response: ServerResponse,
    inference: Inference,
  ): Promise<InferenceBody | null> {
    const { persona, vocabulary, model, built } = this.#options;
    let refusal: Refusal | null;
    try {
      const text = await readBody(request);
      refusal = contentTypeRefusal(persona, request);
      if (refusal === null) {
        const body = readInferenceBody(text, inference.dialect, vocabulary);
        refusal = bodyRefusal(body, { persona, model, contextTokens: built.facts.contextTokens });
        if (refusal === null) return body;
      }
    } catch (error) {
      if (!(error instanceof BodyError)) throw error;
      const { message, param } = error;
      refusal = { kind: "invalid", status: 400, message, param };
    }
    const shown = inference.refuse?.(refusal) ?? persona.refuse(refusal);
    sendJson(response, refusal.status, shown);
    return null;
  }

  /** Says that the queue is full: with a 503, or inside a 200 where the engine hides it there. */
  #overload({ body, inference, response, request }: Ask): void {
    const { persona } = this.#options;
    const message = "The request queue is full.";
    const refusal = { kind: "unavailable", status: 503, message, param: null } as const;
    if (!body.streamed || !persona.overloadInStream)
      return sendJson(response, 503, inference.refuse?.(refusal) ?? persona.refuse(refusal));
    const id = this.#idOf(body, request, inference);
    const error = { object: "error", message, type: "SERVICE_UNAVAILABLE", param: null, code: 503 };
    const input = body.prompts[0]?.length ?? 0;
    const counts = { input, output: 0, cached: 0, reasoning: 0 };
    const writer = inference.writer(this.#answerOf(body, { id, receivedMs: 0 }, persona));
    const times = { promptMs: 0, predictedMs: 0, drafted: null, tokensPerStep: 1 };
    const usage = persona.wantsUsage(body.streamOptions) ? writer.usage(counts, times) : "";
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    response.end(`data: ${JSON.stringify({ error })}\n\n${usage}${writer.end(counts)}`);
  }

  #generate(ask: Ask): void {
    const { persona, built, clock, books, ledger, speed, fixedIds } = this.#options;
    const { body, inference, request, response, met } = ask;
    const row = ledger.open({
      id: this.#idOf(body, request, inference),
      route: ask.path,
      receivedMs: ask.receivedMs,
      inputTokens: body.prompts.reduce((sum, prompt) => sum + prompt.length, 0),
      streamed: body.streamed,
    });
    const plans = this.#plansOf(body, inference);
    const submitted: Submitted[] = [];
    const abort = (): void => {
      for (const one of submitted) one.abort();
    };
    const generation = new Generation({
      persona,
      inference,
      writer: inference.writer(this.#answerOf(body, row, persona)),
      body,
      plans,
      response,
      row,
      books,
      faults: met,
      clock,
      speed,
      fixedTimes: fixedIds,
      drafts: built.facts.drafts,
      cachedOf: (index) => submitted[index]?.cachedTokens() ?? 0,
      stats: () => built.core.stats(),
      abort,
    });
    const open: Open = { row, outputTokensMax: plans[0]?.outputTokens ?? 0, abort };
    this.#open.add(open);
    response.on("close", () => {
      this.#open.delete(open);
      if (row.finishedMs !== null || response.writableFinished) return;
      row.abortedMs = clock.nowMs();
      const goesOn =
        findFault(met, "zombie") !== null || persona.survivesHangUp?.(request.headers) === true;
      if (goesOn) return;
      const { streamed, whole } = persona.abortAfterMs;
      clock.schedule((body.streamed ? streamed : whole) / speed, () => {
        abort();
        generation.aborted();
      });
    });
    for (const [index, plan] of plans.entries())
      submitted.push(this.#submit({ index, plan, ask, id: row.id }, generation));
  }

  /** Puts one choice into the engine. */
  #submit(
    choice: {
      readonly index: number;
      readonly plan: AnswerPlan;
      readonly ask: Ask;
      readonly id: string;
    },
    generation: Generation,
  ): Submitted {
    const { core, facts } = this.#options.built;
    const { index, plan, ask, id } = choice;
    const { body, inference } = ask;
    const request = {
      id: `${id}-${index}`,
      promptIds: body.prompts[Math.floor(index / body.n)] ?? [],
      outputTokens: plan.outputTokens,
      outputTokensMax: body.outputTokensMax ?? plan.outputTokens,
      apiMs: inference.dialect === "chat" ? facts.chatApiMs : facts.apiMs,
    };
    return core.submit(request, generation.sink(index));
  }

  #answerOf(
    body: InferenceBody,
    row: Pick<LedgerRow, "id" | "receivedMs">,
    persona: Persona,
  ): Answer {
    const { clock, model, fixedIds } = this.#options;
    return {
      id: row.id,
      model: body.model === "" ? model : body.model,
      created: persona.stampsFrames
        ? () => (fixedIds ? FIXED_CREATED : Math.floor(clock.nowMs() / 1000))
        : constant(fixedIds ? FIXED_CREATED : Math.floor(row.receivedMs / 1000)),
      wishes: {
        tokenIds: body.tokenIds,
        logprobs: body.logprobs,
        echo: body.echo,
        detokenize: body.detokenize,
        timesTokens: body.timingsPerToken,
        usageFrame: persona.wantsUsage(body.streamOptions),
      },
      promptIds: body.prompts[0] ?? [],
    };
  }

  /** One plan per choice: choices of the same prompt differ, as sampling makes them. */
  #plansOf(body: InferenceBody, inference: Inference): readonly AnswerPlan[] {
    const context = this.#options.built.facts.contextTokens;
    return body.prompts.flatMap((prompt, at) => {
      const room = Math.max(1, context - prompt.length);
      const open = inference.dialect === "completions" ? COMPLETION_TOKENS_DEFAULT : room;
      const tokensMax = Math.min(room, body.outputTokensMax ?? open);
      return Array.from({ length: body.n }, (_, index) => {
        const choice = at * body.n + index;
        const key = choice === 0 ? body.key : Math.imul(body.key + choice, 0x9e3779b1) >>> 1;
        return new AnswerPlan(body, key, { tokensMax, naturalTokens: this.#naturalTokens(key) });
      });
    });
  }

  #naturalTokens(key: number): number {
    const random = this.#options.fixedIds ? forkRandom(key, "length") : this.#lengths;
    return Math.round(NATURAL_TOKENS_MEDIAN * Math.exp(NATURAL_SPREAD * normal(random)));
  }

  #idOf(body: InferenceBody, request: IncomingMessage, { idPrefix }: Inference): string {
    const { persona, fixedIds } = this.#options;
    const { header, field } = persona.requestId;
    const given =
      (header === null ? undefined : request.headers[header]) ??
      (field === null ? undefined : body.raw[field]);
    if (typeof given === "string" && given !== "" && !fixedIds) return idPrefix + given;
    return idPrefix + (fixedIds ? stableId(String(body.key)) : randomUUID().replaceAll("-", ""));
  }
}

function constant(value: number): () => number {
  return () => value;
}
