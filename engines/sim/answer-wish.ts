import { BodyError } from "./body-error.ts";

/** What the answer is to be of, beside plain text. */
export interface AnswerWish {
  /** Thinks aloud before it answers. */
  readonly reasons: boolean;
  /** Tools to call, in order. */
  readonly calls: readonly ToolWish[];
  /** The text is JSON of this schema; `null` for prose. */
  readonly schema: unknown;
  /** Ends at once: nothing was asked. */
  readonly empty: boolean;
}

export interface ToolWish {
  readonly name: string;
  readonly parameters: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

export const PLAIN: AnswerWish = { reasons: false, calls: [], schema: null, empty: false };

/** Models that think unless told not to. */
const REASONERS = /gpt-oss|deepseek-r1|qwq|thinking|qwen3(?!.*(instruct|coder))/i;

/**
 * Reads what kind of answer a chat-like request wants.
 *
 * A simulated model cannot decide by itself to call a tool, so it follows the request: `tool_choice` `required` or a
 * name calls, and with `auto` the tools whose names the user's last words hold are called.
 */
export function readAnswerWish(request: Fields, lastUserText: string | null): AnswerWish {
  const model = typeof request["model"] === "string" ? request["model"] : "";
  return {
    reasons: reasons(request, model),
    calls: callsOf(request, lastUserText),
    schema: schemaOf(request),
    empty: lastUserText === "",
  };
}

function reasons(request: Fields, model: string): boolean {
  const template = fields(request["chat_template_kwargs"]);
  const switched = template["enable_thinking"] ?? template["thinking"];
  if (typeof switched === "boolean") return switched;
  const effort = request["reasoning_effort"] ?? fields(request["reasoning"])["effort"];
  if (typeof effort === "string") return effort !== "none";
  const thinking = fields(request["thinking"])["type"];
  if (typeof thinking === "string") return thinking !== "disabled";
  return REASONERS.test(model);
}

function callsOf(request: Fields, lastUserText: string | null): readonly ToolWish[] {
  const tools = request["tools"];
  if (!Array.isArray(tools)) return [];
  const known = tools.map((tool: unknown, index) => {
    const outer = fields(tool);
    const inner = fields(outer["function"] ?? outer);
    if (typeof inner["name"] !== "string")
      throw new BodyError("tools", `tools[${index}] has no function name.`);
    return { name: inner["name"], parameters: inner["parameters"] ?? inner["input_schema"] };
  });
  const choice = request["tool_choice"];
  const mode = typeof choice === "string" ? choice : fields(choice)["type"];
  if (mode === "none") return [];
  const named = fields(choice)["name"] ?? fields(fields(choice)["function"])["name"];
  if (typeof named === "string") {
    const tool = known.find((one) => one.name === named);
    if (tool === undefined)
      throw new BodyError("tool_choice", `tool_choice names "${named}", which is not among tools.`);
    return [tool];
  }
  // After a tool's result the model answers in words.
  if (lastUserText === null) return [];
  const mentioned = known.filter((tool) => lastUserText.includes(tool.name));
  if (mode === "required" || mode === "any")
    return mentioned.length > 0 ? mentioned : known.slice(0, 1);
  return mentioned;
}

/** `response_format`, `text.format`, or vLLM's and SGLang's own fields for structured output. */
function schemaOf(request: Fields): unknown {
  const format = fields(request["response_format"] ?? fields(request["text"])["format"]);
  if (format["type"] === "json_object")
    return { type: "object", properties: { answer: { type: "string" } } };
  if (format["type"] === "json_schema")
    return fields(format["json_schema"])["schema"] ?? format["schema"] ?? {};
  const structured = fields(request["structured_outputs"])["json"];
  return structured ?? request["guided_json"] ?? request["json_schema"] ?? null;
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null ? (value as Fields) : {};
}
