import type { Engine, ProbeAnswer, Recognition } from "./engine.ts";
import { engines } from "./index.ts";
import { MODELS_PATH } from "./recognition.ts";

/**
 * Asks one path of the server; answers with status 0 and the reason when it cannot be reached. Never rejects, bounds its
 * own time and bytes, and adds what the server wants to see: API key, certificates, headers.
 */
export type ProbeGet = (path: string, signal: AbortSignal) => Promise<ProbeAnswer>;

/** GETs of a whole round at most. */
export const PROBES_MAX = 5;

/**
 * Recognises the engine behind a URL in one round of at most {@link PROBES_MAX} small GETs: `/v1/models` first, then
 * what the engine it names tells of itself, all at once; of whoever stays unnamed, what gives the others away.
 * Always answers: what no dialect claims is `openai`.
 *
 * Nothing is kept here. Whoever asks keeps the answer per URL and asks again when it was not settled and when the
 * server comes back after having been away: another engine may have taken its place.
 */
export async function identify(get: ProbeGet, signal: AbortSignal): Promise<Recognition> {
  const first = await get(MODELS_PATH, signal);
  const probe = new Map<string, ProbeAnswer>([[MODELS_PATH, first]]);
  // Whoever cannot be reached need not be asked four times more.
  if (first.status !== 0) {
    const named = claimsOf(probe)[0]?.engine ?? "openai";
    const paths = engines[named].probes.slice(0, PROBES_MAX - 1);
    const more = await Promise.all(paths.map((path) => get(path, signal)));
    for (const [index, path] of paths.entries()) {
      const answer = more[index];
      if (answer !== undefined) probe.set(path, answer);
    }
  }
  const [best, second] = claimsOf(probe);
  if (best === undefined) throw new Error("the fallback dialect recognises everything");
  if (second === undefined || second.confidence < best.confidence) return best;
  const because = `${best.because}; ${second.engine} is as likely (${second.because})`;
  return { ...best, because };
}

/** What each dialect makes of the answers, the surest first; of equals the one listed first. */
function claimsOf(probe: ReadonlyMap<string, ProbeAnswer>): readonly Recognition[] {
  return Object.values(engines)
    .map((engine: Engine) => engine.recognise(probe))
    .filter((claim) => claim !== null)
    .toSorted((a, b) => b.confidence - a.confidence);
}
