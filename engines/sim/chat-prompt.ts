import { BodyError } from "./body-error.ts";
import { hashText, tokenize } from "./text.ts";

/** What a conversation comes to: its tokens, and what its end says about the answer wanted. */
export interface ChatPrompt {
  readonly ids: number[];
  /** Text of the last message when a user wrote it. */
  readonly lastUserText: string | null;
}

type Fields = Readonly<Record<string, unknown>>;

/** Tokens a chat template puts around each message. */
const TEMPLATE_IDS: readonly number[] = [9_000_001, 9_000_002, 9_000_003, 9_000_004];
const GENERATION_IDS: readonly number[] = [9_000_001, 9_000_005, 9_000_003];
/** What an image or a sound is counted as: about one tile. */
const MEDIA_TOKENS = 256;

/**
 * Tokens of a conversation under the template.
 * @throws {BodyError} for what no engine would take.
 */
export function readChatPrompt(messages: unknown, tools: unknown): ChatPrompt {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw new BodyError("messages", "messages must be a list of at least one message.");
  }
  const ids: number[] = [];
  if (Array.isArray(tools) && tools.length > 0) push(ids, tokenize(JSON.stringify(tools)));
  let last: Fields = {};
  for (const [index, message] of messages.entries()) {
    if (typeof message !== "object" || message === null)
      throw new BodyError(
        "messages",
        `messages[${index}] must be an object with role and content.`,
      );
    last = message as Fields;
    if (typeof last["role"] !== "string")
      throw new BodyError(
        "messages",
        `messages[${index}] has no role: give system, user, assistant or tool.`,
      );
    push(ids, TEMPLATE_IDS);
    ids.push(hashText(last["role"]));
    pushContent(ids, last["content"]);
    const calls = last["tool_calls"];
    if (Array.isArray(calls)) push(ids, tokenize(JSON.stringify(calls)));
  }
  push(ids, GENERATION_IDS);
  const lastUserText = last["role"] === "user" ? contentText(last["content"]) : null;
  return { ids, lastUserText };
}

/** The Responses API's `input`: a text, or items of which messages and tool results count. */
export function messagesOfInput(input: unknown, instructions: unknown): readonly object[] {
  const system =
    typeof instructions === "string" ? [{ role: "system", content: instructions }] : [];
  if (typeof input === "string") return [...system, { role: "user", content: input }];
  if (!Array.isArray(input) || input.length === 0)
    throw new BodyError("input", "input must be a text or a list of items.");
  const items = input.map((item: unknown) => {
    const fields = (typeof item === "object" && item !== null ? item : {}) as Fields;
    if (typeof fields["role"] === "string")
      return { role: fields["role"], content: fields["content"] };
    const isResult = fields["type"] === "function_call_output";
    return {
      role: isResult ? "tool" : "assistant",
      content: fields["output"] ?? fields["arguments"] ?? "",
    };
  });
  return [...system, ...items];
}

/** Anthropic's messages: the system prompt apart, tool results inside user turns. */
export function messagesOfAnthropic(messages: unknown, system: unknown): readonly object[] {
  if (!Array.isArray(messages) || messages.length === 0)
    throw new BodyError("messages", "messages must be a list of at least one message.");
  const turns = (messages as readonly Fields[]).map((message) => {
    const { content } = message ?? {};
    const holdsResult =
      Array.isArray(content) &&
      (content as readonly Fields[]).some((block) => block?.["type"] === "tool_result");
    return holdsResult ? { ...message, role: "tool" } : message;
  });
  return system === undefined ? turns : [{ role: "system", content: system }, ...turns];
}

function pushContent(ids: number[], content: unknown): void {
  if (typeof content === "string") return push(ids, tokenize(content));
  if (!Array.isArray(content)) return;
  for (const part of content as readonly Fields[]) {
    const type = typeof part?.["type"] === "string" ? part["type"] : "text";
    if (/image|audio|video/.test(type)) {
      // Equal pictures are equal prefixes.
      const seed = hashText(JSON.stringify(part));
      for (let index = 0; index < MEDIA_TOKENS; index++) ids.push((seed + index) >>> 1);
    } else {
      push(ids, tokenize(partText(part)));
    }
  }
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return (content as readonly Fields[]).map(partText).join("");
}

function partText(part: Fields): string {
  const text = part?.["text"] ?? part?.["content"];
  if (typeof text === "string") return text;
  return text === undefined ? "" : contentText(text);
}

/** A loop, because a spread of a long list overflows the stack. */
function push(ids: number[], more: readonly number[]): void {
  for (const id of more) ids.push(id);
}
