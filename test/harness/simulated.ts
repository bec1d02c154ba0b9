import {
  type SimulatedEngine,
  type SimulatedEngineOptions,
  startSimulatedEngine,
} from "../../engines/sim/server.ts";
import { JSON_HEADERS, MODEL } from "./fleet.ts";

export const PERSONAS = ["vllm", "sglang", "tensorrt-llm", "llama.cpp"] as const;
export type PersonaName = (typeof PERSONAS)[number];

/** Runs with one simulated engine, fast and without jitter, and closes it. */
export async function withEngine(
  persona: PersonaName,
  options: Partial<SimulatedEngineOptions>,
  act: (engine: SimulatedEngine) => Promise<void>,
): Promise<void> {
  const engine = await startSimulatedEngine({
    persona,
    model: MODEL,
    speed: 50,
    jitter: 0,
    ...options,
  });
  try {
    await act(engine);
  } finally {
    await engine.close();
  }
}

interface Call {
  readonly id?: string | null;
  readonly index?: number;
  readonly type?: string;
  readonly function: { readonly name?: string | null; readonly arguments: string };
}

/** A delta or a message, in every shape engines write. */
interface Said {
  readonly role?: string | null;
  readonly content?: string | null;
  readonly reasoning?: string | null;
  readonly reasoning_content?: string | null;
  readonly tool_calls?: readonly Call[] | null;
}

interface Choice extends Said {
  readonly index: number;
  readonly delta?: Said;
  readonly message?: Said;
  readonly text?: string;
  readonly finish_reason?: string | null;
  readonly token_ids?: readonly number[] | null;
  readonly logprobs?: { readonly content?: readonly { readonly token: string }[] } | null;
}

/** A frame or a whole answer, as far as tests look into it. */
export interface Wire {
  readonly id?: string;
  readonly choices: readonly Choice[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly error?: unknown;
  readonly tokens: readonly number[];
  readonly count: number;
  readonly prompt_token_ids?: readonly number[] | null;
  readonly prompt_progress?: { readonly processed: number; readonly total: number };
  readonly timings?: { readonly predicted_n: number; readonly prompt_ms: number };
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; `null` when it is none. */
  readonly json: Wire | null;
  /** `data:` of each event that is JSON. */
  readonly events: readonly Wire[];
  /** It ended with `[DONE]`. */
  readonly done: boolean;
  /** `event:` names, in order. */
  readonly names: readonly string[];
}

/** Asks and reads the whole answer. A GET without a body. */
export async function ask(
  engine: SimulatedEngine,
  path: string,
  body?: object | string,
  headers: Record<string, string> = {},
): Promise<Answered> {
  const asked =
    body === undefined
      ? { headers }
      : {
          method: "POST",
          headers: { ...JSON_HEADERS, ...headers },
          body: typeof body === "string" ? body : JSON.stringify(body),
        };
  const answer = await fetch(engine.url + path, asked);
  const text = await answer.text();
  const data = [...text.matchAll(/^data: (.*)$/gm)].map(([, one]) => (one ?? "").trim());
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: parsed(text),
    events: data
      .filter((one) => one !== "[DONE]")
      .map(parsed)
      .filter((one) => one !== null),
    done: data.at(-1) === "[DONE]",
    names: [...text.matchAll(/^event: (.*)$/gm)].map(([, one]) => one ?? ""),
  };
}

export const CHAT = "/v1/chat/completions";
export const TEXT = "/v1/completions";

/** A chat request for exactly so many tokens. */
export function chat(tokens: number, more: object = {}): object {
  return {
    model: MODEL,
    messages: [{ role: "user", content: "how fast does it fly" }],
    max_tokens: tokens,
    ignore_eos: true,
    stream: true,
    ...more,
  };
}

/** Everything one choice said on a channel. */
export function said(
  { events }: Answered,
  field: "content" | "reasoning" | "reasoning_content" | "text",
  choice = 0,
): string {
  return choicesOf(events, choice)
    .map((one) => (field === "text" ? one.text : (one.delta ?? one)[field]) ?? "")
    .join("");
}

/** Arguments of the first tool call, and its name. */
export function called({ events }: Answered): { name: string; arguments: string } {
  const calls = choicesOf(events, 0).flatMap((one) => one.delta?.tool_calls ?? []);
  return {
    name: calls.map((call) => call.function.name ?? "").join(""),
    arguments: calls.map((call) => call.function.arguments).join(""),
  };
}

export function finishOf({ events }: Answered, choice = 0): string | null | undefined {
  return choicesOf(events, choice).findLast(
    (one) => one.finish_reason !== null && one.finish_reason !== undefined,
  )?.finish_reason;
}

function choicesOf(events: readonly Wire[], choice: number): readonly Choice[] {
  return events.flatMap((event) => event.choices ?? []).filter((one) => one.index === choice);
}

export const WEATHER = {
  type: "function",
  function: {
    name: "get_weather",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string" },
        unit: { enum: ["celsius", "fahrenheit"] },
        days: { type: "integer", minimum: 1, maximum: 7 },
      },
      required: ["city"],
    },
  },
};

function parsed(text: string): Wire | null {
  try {
    return JSON.parse(text) as Wire;
  } catch {
    return null;
  }
}
