import { AnswerReader } from "../../engines/answer-reader.ts";
import type { Exchange } from "../../engines/exchange.ts";
import { engines } from "../../engines/index.ts";
import { errorEvent } from "../../proxy/errors.ts";
import { GARBAGE } from "./fault-link.ts";

/** Tokens every answer of the schedule has. */
export const TOKENS = 12;

/** What the client of one request saw. */
export interface Seen {
  readonly prompt: number;
  readonly streamed: boolean;
  status: number | null;
  text: string;
  /** Ended as HTTP says it should; broken off, by us or by the proxy, otherwise. */
  whole: boolean;
  hungUp: boolean;
}

/** One request from both sides, and what the engines answer when nothing is in the way. */
export interface Case {
  readonly seen: Seen;
  readonly record: Exchange;
  readonly right: string;
}

/** What the proxy owes every request, each with when it does not hold. */
const PROMISES: readonly (readonly [broken: string, is: (one: Case) => boolean])[] = [
  [
    "is complete and not the engine's answer",
    (one) => isComplete(one) && one.seen.text !== one.right,
  ],
  [
    "is complete and its tokens are not counted right",
    (one) => isComplete(one) && one.record.tokens.output !== TOKENS,
  ],
  [
    "is called cancelled although its client stayed",
    ({ seen, record }) => record.outcome.kind === "cancelled" && !seen.hungUp && seen.whole,
  ],
  [
    "broke off and got other bytes than the engine's",
    (one) => isBroken(one) && !one.right.startsWith(lessGarbage(engineText(one))),
  ],
  ["broke off and says [DONE]", (one) => isBroken(one) && one.seen.text.includes("[DONE]")],
  ["broke off and ends cleanly", (one) => isBroken(one) && one.seen.whole],
  [
    "broke off with other outputs than recorded",
    (one) =>
      isBroken(one) && one.seen.streamed && outputsOf(engineText(one)) !== one.record.outputEvents,
  ],
  ["failed although more could be done", failedEarly],
  [
    "asked a replica twice",
    ({ record }) => {
      const tries = record.attempts.filter(({ result }) => result !== "stale_socket");
      return new Set(tries.map(({ replica }) => replica)).size !== tries.length;
    },
  ],
];

/** Garbage that begins where a chunk says there is more of it is that chunk's content: nobody can tell. */
function lessGarbage(text: string): string {
  for (let length = Math.min(GARBAGE.length, text.length); length > 0; length--)
    if (text.endsWith(GARBAGE.slice(0, length))) return text.slice(0, -length);
  return text;
}

/** Every promise that was not kept, in words. */
export function brokenPromises(one: Case): readonly string[] {
  return PROMISES.filter(([, is]) => is(one)).map(([broken]) => broken);
}

function isComplete({ seen, record }: Case): boolean {
  return record.outcome.kind === "completed" && !seen.hungUp;
}

/** The answer had begun and did not come to its end, and not because its client left. */
function isBroken({ seen, record }: Case): boolean {
  return seen.status === 200 && record.outcome.kind !== "completed" && !seen.hungUp;
}

/** What the client got less the error event the proxy put behind it. */
function engineText({ seen: { text }, record: { outcome } }: Case): string {
  const said = "code" in outcome ? errorEvent(outcome.code as "upstream_cut") : "";
  return said !== "" && text.endsWith(said) ? text.slice(0, -said.length) : text;
}

function failedEarly({ record: { outcome, bytesOut, attempts } }: Case): boolean {
  const isFinal = attempts.length >= 3 || attempts.at(-1)?.result === "first_token_timeout";
  return outcome.kind === "failed" && bytesOut === 0 && !isFinal;
}

/** Output events in a stream as the meter reads them. */
function outputsOf(text: string): number {
  const reader = new AnswerReader(engines.vllm, "chat", "text/event-stream");
  reader.push(Buffer.from(text), 0);
  reader.end();
  return reader.output.events;
}
