import { randomUUID } from "node:crypto";
import type { Exchange } from "../../engines/exchange.ts";
import type { Random } from "../../engines/random.ts";
import type { PlannedPrompt, Target } from "../../load/target.ts";
import type { PathDifferences } from "./path-difference.ts";

type Path = "direct" | "routed";

/** Told of every request on either way. */
export interface PathListener {
  began(id: string, prompt: PlannedPrompt, path: Path): void;
  ended(id: string, exchange: Exchange, path: Path): void;
}

export interface PathTargetParts {
  readonly label: string;
  /** One of them, or both for pairs. */
  readonly direct: Target | null;
  readonly routed: Target | null;
  readonly random: Random;
  readonly differences: PathDifferences;
  readonly listener: PathListener;
}

/** Two requests of one point that are compared: which way each goes is left to chance, so order cannot favour one. */
interface Pair {
  readonly pointId: string;
  readonly second: Path;
  readonly ended: Partial<Record<Path, Exchange>>;
}

/** Sends each prompt on its way: all on one, or neighbours in pairs on both. */
export class PathTarget implements Target {
  readonly label: string;
  readonly #parts: PathTargetParts;
  #open: Pair | null = null;

  constructor(parts: PathTargetParts) {
    this.#parts = parts;
    this.label = parts.label;
  }

  async send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange> {
    const { listener } = this.#parts;
    const { path, pair } = this.#way(prompt);
    const target = this.#parts[path];
    if (target === null) throw new Error(`there is no ${path} way`);
    const id = randomUUID();
    listener.began(id, prompt, path);
    const exchange = await target.send(prompt, signal);
    listener.ended(id, exchange, path);
    if (pair !== null) this.#compare(pair, path, exchange);
    return exchange;
  }

  #way(prompt: PlannedPrompt): { path: Path; pair: Pair | null } {
    const { direct, routed, random } = this.#parts;
    if (routed === null) return { path: "direct", pair: null };
    if (direct === null) return { path: "routed", pair: null };
    const open = this.#open;
    if (open?.pointId === prompt.label) {
      this.#open = null;
      return { path: open.second, pair: open };
    }
    const first = random.next() < 0.5 ? "direct" : "routed";
    const second = first === "direct" ? "routed" : "direct";
    this.#open = { pointId: prompt.label, second, ended: {} };
    return { path: first, pair: this.#open };
  }

  #compare(pair: Pair, path: Path, exchange: Exchange): void {
    pair.ended[path] = exchange;
    const { direct, routed } = pair.ended;
    if (direct === undefined || routed === undefined) return;
    const pointId = pair.pointId.slice(pair.pointId.indexOf("/") + 1);
    this.#parts.differences.add(pointId, direct, routed);
  }
}
