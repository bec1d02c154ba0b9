import type { IncomingMessage, ServerResponse } from "node:http";
import { type Fault, findFault } from "./faults.ts";
import type { InferenceBody } from "./inference-body.ts";
import { sendJson } from "./json-answer.ts";
import type { Persona, Refusal } from "./personas/persona.ts";

/** Why an engine of this kind would not generate for a body, or `null`. */
export function bodyRefusal(
  body: InferenceBody,
  {
    persona,
    model,
    contextTokens: context,
  }: { readonly persona: Persona; readonly model: string; readonly contextTokens: number },
): Refusal | null {
  const { checksModel, strictFields } = persona;
  if (checksModel && body.model !== "" && body.model !== model) {
    const message = `The model \`${body.model}\` does not exist.`;
    return { kind: "model", status: 404, message, param: "model" };
  }
  const stranger =
    strictFields === null ? undefined : body.fields.find((field) => !strictFields.has(field));
  if (stranger !== undefined) {
    const message = `[{'type': 'extra_forbidden', 'loc': ('body', '${stranger}'), 'msg': 'Extra inputs are not permitted', 'input': ...}]`;
    return { kind: "strange-field", status: 400, message, param: stranger };
  }
  if (body.streamOptions !== null && !body.streamed && persona.checksStreamOptions) {
    const message = "Stream options can only be defined when `stream=True`.";
    return { kind: "unfit", status: 400, message, param: "stream_options" };
  }
  const input = Math.max(...body.prompts.map((prompt) => prompt.length));
  const wrong = persona.contextRefusal({ input, output: body.outputTokensMax ?? 0, context });
  if (wrong === null) return null;
  const facts = { promptTokens: input, contextTokens: context };
  return { kind: "context", status: 400, ...wrong, ...facts };
}

/** Answers as a fault wants it; true when that was all. */
export function misbehaves(
  response: ServerResponse,
  met: readonly Fault[],
  persona: Persona,
  streamed: boolean,
): boolean {
  const status = findFault(met, "status");
  if (status !== null) {
    const { retryAfterSeconds: seconds } = status;
    const headers = seconds === undefined ? {} : { "retry-after": String(seconds) };
    const message = "refused on purpose";
    const refusal = { kind: "fault", status: status.status, message, param: null } as const;
    sendJson(response, status.status, persona.refuse(refusal), headers);
    return true;
  }
  const garbage = findFault(met, "garbage");
  if (garbage === null || (garbage.afterTokens ?? 0) > 0) return false;
  response.writeHead(200, {
    "content-type": streamed ? "text/event-stream" : "application/json",
  });
  response.end(streamed ? "data: {not json\n\n" : "<html>not json</html>");
  return true;
}

/** The refusal of a body that is not declared as JSON, where the engine insists. */
export function contentTypeRefusal(persona: Persona, request: IncomingMessage): Refusal | null {
  if (!persona.checksContentType) return null;
  const type = request.headers["content-type"] ?? "";
  if (type.split(";", 1)[0]?.trim().toLowerCase() === "application/json") return null;
  const message = "Unsupported Media Type: Only 'application/json' is allowed";
  return { kind: "invalid", status: 400, message, param: null };
}
