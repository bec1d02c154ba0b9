import type { ProbeAnswer, Recognition } from "./engine.ts";
import { engines } from "./index.ts";

/** Asks one path of the server; answers with status 0 when it cannot be reached. Never rejects. */
export type ProbeGet = (path: string, signal: AbortSignal) => Promise<ProbeAnswer>;

/** The whole round: five small GETs at most, each asked once. */
const FIRST_PATHS = ["/v1/models"] as const;
const SECOND_PATHS = ["/version", "/props", "/server_info"] as const;

/**
 * Recognises the engine behind a URL. `/v1/models` alone names most; the others tell the version and
 * catch a server that is still loading. Always answers: what no dialect claims is `openai`.
 */
export async function identify(get: ProbeGet, signal: AbortSignal): Promise<Recognition> {
  const probe = new Map<string, ProbeAnswer>();
  for (const path of FIRST_PATHS) probe.set(path, await get(path, signal));
  const more = await Promise.all(SECOND_PATHS.map((path) => get(path, signal)));
  for (const answer of more) probe.set(answer.path, answer);
  const claims = Object.values(engines)
    .map((engine) => engine.recognise(probe))
    .filter((claim) => claim !== null)
    .toSorted((a, b) => b.confidence - a.confidence);
  const [best, second] = claims;
  if (best === undefined) throw new Error("the fallback dialect recognises everything");
  if (second === undefined || second.confidence < best.confidence) return best;
  const because = `${best.because}; ${second.engine} was as likely (${second.because})`;
  return { ...best, because };
}
