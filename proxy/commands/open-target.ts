import { request } from "undici";
import { systemClock } from "../../engines/clock.ts";
import type { Engine, ProbeAnswer, Recognition } from "../../engines/engine.ts";
import { identify } from "../../engines/identify.ts";
import { engines } from "../../engines/index.ts";
import { HttpTarget } from "../../load/http-target.ts";
import { FleetError } from "../upstream/fleet.ts";
import { originOf } from "../upstream/replica-set.ts";
import { CommandError, EXIT } from "./exit.ts";

/** How long a target may take to say what it is. */
const PROBE_TIMEOUT_MS = 5_000;
/** The one request that tries out forced lengths: unusual enough not to be where an answer ends by itself. */
const FORCED_TOKENS = 3;
const LENGTH_TIMEOUT_MS = 30_000;

export interface OpenTarget {
  readonly target: HttpTarget;
  readonly model: string;
  readonly engine: Engine;
  readonly recognition: Recognition;
}

/**
 * Recognises what answers at a URL and makes it a target.
 * @throws {CommandError} 2 for a bad URL or unknown model, 3 when nothing answers.
 */
export async function openTarget(text: string, wanted: string | undefined): Promise<OpenTarget> {
  const url = originFlag(text);
  let reached = false;
  let reason = "no answer";
  const get = async (path: string, signal: AbortSignal): Promise<ProbeAnswer> => {
    try {
      const { statusCode, headers, body } = await request(url + path, {
        signal: AbortSignal.any([signal, AbortSignal.timeout(PROBE_TIMEOUT_MS)]),
      });
      reached = true;
      const flat = Object.fromEntries(
        Object.entries(headers).map(([name, value]) => [name, String(value)]),
      );
      return { path, status: statusCode, headers: flat, body: await body.text() };
    } catch (error) {
      reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
      return { path, status: 0, headers: {}, body: "" };
    }
  };
  const recognition = await identify(get, new AbortController().signal);
  if (!reached)
    throw new CommandError(
      EXIT.unreachable,
      `nothing answers at ${url} (${reason}): check the address and that the engine runs.`,
    );
  const served = recognition.models.map((model) => model.id);
  const model = wanted ?? served[0];
  if (model === undefined)
    throw new CommandError(EXIT.usage, `${url} lists no model: name one with --model.`);
  if (served.length > 0 && !served.includes(model)) {
    throw new CommandError(
      EXIT.usage,
      `${url} does not serve "${model}": it serves ${served.join(", ")}.`,
    );
  }
  const engine = engines[recognition.engine];
  const forceWith = recognition.engine === "openai" ? await lengthForcer(url, model) : engine;
  const target = new HttpTarget({
    url,
    model,
    engine,
    clock: systemClock,
    exactLength: forceWith !== null,
    ...(forceWith === null ? {} : { forceWith }),
  });
  return { target, model, engine, recognition };
}

/**
 * The dialect whose fields make a server of unknown kind produce an exact length, tried with one request of three tokens: a
 * proxy in front of engines hands the fields on, a hosted service refuses or ignores them. `null` when none does.
 */
async function lengthForcer(url: string, model: string): Promise<Engine | null> {
  const ask = { model, messages: [{ role: "user", content: "Hello" }] };
  try {
    const { statusCode, body } = await request(`${url}/v1/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(engines.vllm.forceLength(ask, FORCED_TOKENS)),
      signal: AbortSignal.timeout(LENGTH_TIMEOUT_MS),
    });
    const answer = engines.openai.readAnswer(await body.text(), "chat");
    const exact = statusCode === 200 && answer.usage?.outputTokens === FORCED_TOKENS;
    return exact ? engines.vllm : null;
  } catch {
    // Too slow to say, or no answer at all: the run itself will tell more than this could.
    return null;
  }
}

function originFlag(text: string): string {
  try {
    return originOf(text);
  } catch (error) {
    throw error instanceof FleetError ? new CommandError(EXIT.usage, error.message) : error;
  }
}
