import { AnswerReader } from "../../engines/answer-reader.ts";
import type { Engine } from "../../engines/engine.ts";
import type { InferenceRoute } from "../../engines/exchange.ts";

const ERROR_KEY = Buffer.from('"error"');

/**
 * Whether a stream begins with an error event instead of an answer (vLLM and SGLang report an engine that died so, under
 * a 200). Looks for the key first: all other streams pay for one search of one chunk.
 */
export function beginsWithError(chunk: Buffer, engine: Engine, route: InferenceRoute): boolean {
  if (!chunk.includes(ERROR_KEY)) return false;
  const reader = new AnswerReader(engine, route, "text/event-stream");
  reader.push(chunk, 0);
  reader.end();
  return reader.error !== null && reader.output.events === 0;
}
