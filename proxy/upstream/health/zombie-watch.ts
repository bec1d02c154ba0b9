import type { EngineStats } from "../../../engines/engine.ts";

/** An engine that works this long although nobody here has asked it for anything does so for nobody here. */
export const ZOMBIE_AFTER_MS = 10_000;

/** What to tell of it. */
export interface ZombieReport {
  readonly state: "began" | "over";
  /** Sequences running when it was noticed. */
  readonly running: number;
  readonly forMs: number;
  /** Tokens generated meanwhile, where the engine counts them. */
  readonly tokens: number | null;
}

interface Episode {
  readonly sinceMs: number;
  readonly running: number;
  readonly generatedBefore: number | null;
  told: boolean;
}

/**
 * Watches one replica's own statistics for generation that goes on after we have hung up: engines that miss a
 * disconnect decode to `max_tokens` for nobody. Requests that bypass the proxy look the same, and are worth knowing too.
 */
export class ZombieWatch {
  #episode: Episode | null = null;

  /** One reading. `idleSinceMs` is when the last request of ours left the replica; `null` while one is there. */
  read(stats: EngineStats, idleSinceMs: number | null, nowMs: number): ZombieReport | null {
    const { running, generationTokens } = stats;
    if (idleSinceMs === null || running === null || running === 0) return this.#end(stats, nowMs);
    this.#episode ??= { sinceMs: nowMs, running, generatedBefore: generationTokens, told: false };
    const episode = this.#episode;
    const forMs = nowMs - Math.max(episode.sinceMs, idleSinceMs);
    const tokens = grown(episode.generatedBefore, generationTokens);
    // Sequences that stand still cost no work: a gauge that was never reset, perhaps.
    if (episode.told || forMs < ZOMBIE_AFTER_MS || tokens === 0) return null;
    episode.told = true;
    return { state: "began", running, forMs, tokens };
  }

  #end({ generationTokens }: EngineStats, nowMs: number): ZombieReport | null {
    const episode = this.#episode;
    this.#episode = null;
    if (episode === null || !episode.told) return null;
    const tokens = grown(episode.generatedBefore, generationTokens);
    return { state: "over", running: episode.running, forMs: nowMs - episode.sinceMs, tokens };
  }
}

function grown(before: number | null, now: number | null): number | null {
  return before === null || now === null ? null : Math.max(0, now - before);
}
