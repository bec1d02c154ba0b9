import type { ServerResponse } from "node:http";
import type { Cancel, Clock } from "../clock.ts";
import { AnswerChoice } from "./answer-choice.ts";
import type { AnswerPlan } from "./answer-plan.ts";
import { AnswerTally } from "./answer-tally.ts";
import type { Books, Departure, LedgerRow } from "./books.ts";
import type { CoreStats } from "./engine-core.ts";
import { EventStream } from "./event-stream.ts";
import { type Fault, findFault } from "./faults.ts";
import type { InferenceBody } from "./inference-body.ts";
import { sendJson } from "./json-answer.ts";
import type { AnswerWriter, Extras } from "./personas/answer-writer.ts";
import type { Inference, Persona } from "./personas/persona.ts";
import type { SimSink } from "./sequence.ts";

/** What one answer is written from and to. */
export interface GenerationParts {
  readonly persona: Persona;
  readonly inference: Inference;
  readonly writer: AnswerWriter;
  readonly body: InferenceBody;
  readonly plans: readonly AnswerPlan[];
  readonly response: ServerResponse;
  readonly row: LedgerRow;
  readonly books: Books;
  readonly faults: readonly Fault[];
  readonly clock: Clock;
  readonly speed: number;
  /** Times told in answers are made from the counts alone, so that equal requests get equal bytes. */
  readonly fixedTimes: boolean;
  /** Tokens a draft model proposes a step; 0 without one. */
  readonly drafts: number;
  /** Prompt tokens of a choice found in the cache. */
  readonly cachedOf: (index: number) => number;
  readonly stats: () => CoreStats;
  /** Takes all choices out of the engine. */
  readonly abort: Cancel;
}

const NO_EXTRAS: Extras = { usage: null, timings: null, tokensPerStep: null };

/** Writes one answer as its tokens appear: a stream of frames, or one body at the end. */
export class Generation {
  readonly #parts: GenerationParts;
  readonly #stream: EventStream;
  readonly #choices: readonly AnswerChoice[];
  readonly #tally: AnswerTally;
  readonly #continuous: boolean;
  #left = false;

  constructor(parts: GenerationParts) {
    this.#parts = parts;
    this.#stream = new EventStream(parts.response);
    const { body, persona } = parts;
    this.#continuous =
      parts.inference.counts === "always" ||
      (parts.inference.counts === "finish" && body.timingsPerToken) ||
      (body.streamOptions?.continuous_usage_stats === true &&
        persona.continuousUsage(body.streamOptions));
    const seesTokens = body.tokenIds || body.logprobs !== null || !body.detokenize;
    const rules = { ...persona, seesTokens };
    this.#choices = parts.plans.map((plan, index) => new AnswerChoice(index, plan, rules));
    this.#tally = new AnswerTally(
      {
        ...parts,
        perChoice: persona.countsPerChoice,
        inputOf: (index) => body.prompts[Math.floor(index / body.n)]?.length ?? 0,
      },
      this.#choices,
    );
    if (body.streamed && persona.headers === "accepted") this.#begin();
  }

  /** The engine tells one choice's progress here. */
  sink(index: number): SimSink {
    const choice = this.#choices[index];
    if (choice === undefined) throw new RangeError(`there is no choice ${index}`);
    const { row, persona, body } = this.#parts;
    return {
      scheduled: (atMs) => {
        row.scheduledMs ??= atMs;
        if (body.streamed && persona.headers === "scheduled") this.#begin();
      },
      prefilled: (computed, atMs) => {
        this.#progress(computed, atMs);
      },
      tokens: (count, total) => {
        this.#produced(choice, { count, total });
      },
      finished: (atMs) => {
        this.#finished(choice, atMs);
      },
      failed: (reason) => {
        this.#failed(reason);
      },
    };
  }

  /** The client is gone and the engine has stopped for it, or never will. */
  aborted(): void {
    this.#depart("abort");
  }

  #produced(
    choice: AnswerChoice,
    { count, total }: { readonly count: number; readonly total: number },
  ): void {
    const { row, books, clock, body } = this.#parts;
    const nowMs = clock.nowMs();
    if (row.firstTokenMs === null) row.cachedTokens = this.#cachedTokens();
    books.produced(row, count, nowMs);
    row.firstTokenMs ??= nowMs;
    row.lastTokenMs = nowMs;
    row.outputTokens += count;
    this.#tally.outputs++;
    choice.produced = total;
    if (this.#stream.over || this.#broken() || !body.streamed) return;
    // The last tokens are written with the reason they ended for.
    if (total >= choice.plan.outputTokens) return;
    const due = choice.isNew || choice.pending >= body.streamInterval;
    if (!due || this.#stream.blocked) return;
    this.#begin();
    this.#stream.write(this.#framesOf(choice));
  }

  #finished(choice: AnswerChoice, atMs: number): void {
    const { body, row } = this.#parts;
    choice.finished = true;
    const all = this.#choices.every((one) => one.finished);
    if (all) row.finishedMs = atMs;
    if (!this.#stream.over && !this.#broken()) {
      if (body.streamed) {
        this.#begin();
        const last = this.#framesOf(choice);
        if (all) this.#stream.end(last + this.#ending());
        else this.#stream.write(last);
      } else if (all) {
        this.#answerWhole();
      }
    }
    if (all) this.#depart(this.#choices[0]?.plan.ending.reason ?? "stop");
  }

  #failed(reason: string): void {
    const { response, persona } = this.#parts;
    this.#depart("error");
    if (this.#stream.over) return;
    if (this.#stream.begun) {
      this.#stream.cut("rst");
      return;
    }
    const refusal = { kind: "fault", status: 500, message: reason, param: null } as const;
    sendJson(response, 500, persona.refuse(refusal));
  }

  #depart(departure: Departure): void {
    if (this.#left) return;
    this.#left = true;
    this.#stream.pingNoMore();
    const { books, row, body, plans } = this.#parts;
    books.left(row, departure, {
      n: body.n,
      tokensMax: body.outputTokensMax ?? plans[0]?.outputTokens ?? 0,
    });
  }

  #framesOf(choice: AnswerChoice): string {
    const extras = this.#continuous ? this.#extras() : NO_EXTRAS;
    const last = choice.finished ? this.#finishExtras(choice, extras) : NO_EXTRAS;
    const frames = choice.frames(this.#parts.writer, extras, last);
    const { persona } = this.#parts;
    // llama-server ends each choice by itself: n of them send n frames of usage (recorded from build 11434).
    return choice.finished && persona.countsPerChoice ? frames + this.#usage(choice) : frames;
  }

  #progress(computed: number, atMs: number): void {
    const { body, writer, row, cachedOf } = this.#parts;
    if (!body.streamed || !body.returnProgress || writer.progress === undefined) return;
    if (this.#stream.over || this.#broken()) return;
    this.#begin();
    this.#stream.write(
      writer.progress(
        {
          total: row.inputTokens,
          cached: cachedOf(0),
          processed: computed,
          timeMs: atMs - (row.scheduledMs ?? atMs),
        },
        this.#continuous ? this.#extras() : NO_EXTRAS,
      ),
    );
  }

  #ending(): string {
    const { persona, writer, faults } = this.#parts;
    const counts = this.#tally.counts();
    const silent = findFault(faults, "no-usage") !== null;
    const usage = persona.countsPerChoice ? "" : this.#usage(null);
    return findFault(faults, "no-done") === null
      ? usage + writer.end(silent ? null : counts)
      : usage;
  }

  /** The frame of usage, where it is wanted: of one choice, or of all. */
  #usage(choice: AnswerChoice | null): string {
    const { body, persona, writer, faults } = this.#parts;
    const silent = findFault(faults, "no-usage") !== null;
    if (silent || !persona.wantsUsage(body.streamOptions)) return "";
    const counts = choice === null ? this.#tally.counts() : this.#tally.countsOf(choice);
    return writer.usage(counts, this.#tally.timings());
  }

  #answerWhole(): void {
    const { writer, response, faults, persona, stats } = this.#parts;
    const counts = findFault(faults, "no-usage") === null ? this.#tally.counts() : null;
    const whole = writer.whole(
      this.#choices.map((choice) => choice.whole()),
      counts,
      this.#tally.timings(),
    );
    sendJson(response, 200, whole, persona.wholeHeaders?.(response.req.headers, stats()) ?? {});
  }

  #extras(): Extras {
    const { timingsPerToken } = this.#parts.body;
    const timings = timingsPerToken ? this.#tally.timings() : null;
    return { usage: this.#tally.counts(), timings, tokensPerStep: null };
  }

  /** Of each prompt once: choices share it. */
  #cachedTokens(): number {
    const { cachedOf, body, plans } = this.#parts;
    return plans.reduce((sum, _, at) => sum + (at % body.n === 0 ? cachedOf(at) : 0), 0);
  }

  #finishExtras(choice: AnswerChoice, extras: Extras): Extras {
    const { inference, faults } = this.#parts;
    const { tokensPerStep } = this.#tally;
    if (inference.counts === "asked") return { ...extras, tokensPerStep };
    if (findFault(faults, "no-usage") !== null) return NO_EXTRAS;
    const usage = this.#tally.countsOf(choice);
    return { usage, timings: this.#tally.timings(), tokensPerStep };
  }

  /** Lets a fault of this stage happen; true when nothing more is to be written. */
  #broken(): boolean {
    const { faults, row, writer, abort } = this.#parts;
    if (faults.length === 0) return false;
    const reached = (fault: { readonly afterTokens?: number } | null): boolean =>
      fault !== null && row.outputTokens > (fault.afterTokens ?? 0);
    if (reached(findFault(faults, "stall"))) return true;
    const cut = findFault(faults, "cut");
    if (cut !== null && reached(cut)) {
      this.#stream.cut(cut.how);
      abort();
      this.#depart("error");
      return true;
    }
    const garbage = reached(findFault(faults, "garbage"));
    if (!garbage && !reached(findFault(faults, "error-event"))) return false;
    this.#begin();
    const failure = writer.failure("the simulated engine failed on purpose");
    if (garbage) this.#stream.end("data: {not json\n\n");
    else if (failure.cut) this.#stream.cut("fin");
    else this.#stream.end(failure.frames);
    abort();
    this.#depart("error");
    return true;
  }

  #begin(): void {
    if (this.#stream.begun) return;
    const { persona, body, clock } = this.#parts;
    this.#stream.begin({
      "content-type": "text/event-stream; charset=utf-8",
      ...persona.streamHeaders,
    });
    this.#stream.onDrain(() => {
      this.#catchUp();
    });
    const pingAfterMs = body.pingAfterMs ?? persona.pingAfterMs;
    if (persona.pingAfterMs !== null && pingAfterMs !== null && pingAfterMs > 0)
      this.#stream.pingAfter(pingAfterMs / this.#parts.speed, clock);
  }

  /** The reader has caught up: all it missed goes out, merged where the engine merges. */
  #catchUp(): void {
    if (this.#stream.over) return;
    for (const choice of this.#choices)
      if (!choice.finished && choice.pending > 0) this.#stream.write(this.#framesOf(choice));
  }
}
