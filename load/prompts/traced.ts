import type { Random } from "../../engines/random.ts";
import type { Prompt } from "../target.ts";
import type { TraceRow } from "../trace.ts";
import { blockWords, words } from "./words.ts";

/** What a chat template adds. Close enough for traffic; a sweep calibrates instead. */
const TEMPLATE_TOKENS = 8;
/** Tokens one block id stands for unless the trace says otherwise. */
const BLOCK_TOKENS = 512;
/** The block every request of a trace without sessions begins with, as far as it was cached when recorded. */
const COMMON_BLOCK = 0x7f1707;

/**
 * A chat request with the shape of a recorded one: its length is real, its text is noise, and what it shared with others it
 * shares again. Blocks of equal ids have equal text; turns of a session begin with the turns before; otherwise as much as
 * was cached is common to all.
 */
export function tracedPrompt(row: TraceRow, random: Random): Prompt {
  const { inputTokens, outputTokens, session = null } = row;
  const count = Math.max(1, inputTokens - TEMPLATE_TOKENS);
  return {
    route: "chat",
    body: { messages: [{ role: "user", content: textOf(row, count, random) }] },
    inputTokens,
    outputTokens,
    session,
  };
}

function textOf(row: TraceRow, count: number, random: Random): string {
  const { blockIds, blockTokens = BLOCK_TOKENS, session = null, cachedTokens = null } = row;
  if (blockIds !== null) {
    const texts = blockIds.map((id, index) =>
      blockWords(id, Math.min(blockTokens, Math.max(0, count - index * blockTokens))),
    );
    const rest = count - blockIds.length * blockTokens;
    return [...texts, rest > 0 ? words(random, rest) : ""].filter((text) => text !== "").join(" ");
  }
  if (session !== null) return blockWords(hash(session), count);
  const shared = Math.min(cachedTokens ?? 0, count - 1);
  if (shared <= 0) return words(random, count);
  return `${blockWords(COMMON_BLOCK, shared)} ${words(random, count - shared)}`;
}

/** FNV-1a: a conversation's name as a number. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
