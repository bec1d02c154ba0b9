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
  const target = new HttpTarget({
    url,
    model,
    engine,
    clock: systemClock,
    exactLength: recognition.engine !== "openai",
  });
  return { target, model, engine, recognition };
}

function originFlag(text: string): string {
  try {
    return originOf(text);
  } catch (error) {
    throw error instanceof FleetError ? new CommandError(EXIT.usage, error.message) : error;
  }
}
