import type { ProbeAnswer, Recognition } from "../../engines/engine.ts";
import { identify } from "../../engines/identify.ts";
import { MODELS_PATH } from "../../engines/recognition.ts";
import type { Connection } from "./connection.ts";
import { probeGet } from "./probe.ts";

/** Recognises, and keeps the answer of the model list, which says why nothing was recognised. */
export async function recognise(
  connection: Connection,
  signal: AbortSignal,
): Promise<{ readonly recognition: Recognition; readonly models: ProbeAnswer }> {
  let models: ProbeAnswer = { path: MODELS_PATH, status: 0, headers: {}, body: "" };
  const recognition = await identify(async (path, within) => {
    const answer = await probeGet(connection, path, within);
    if (path === MODELS_PATH) models = answer;
    return answer;
  }, signal);
  return { recognition, models };
}
