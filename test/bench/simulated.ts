import { buildEngine } from "../../engines/sim/core.ts";
import { VirtualClock } from "../../engines/virtual-clock.ts";
import type { Exchange } from "../../engines/exchange.ts";
import type { PlannedPrompt, Target } from "../../load/target.ts";
import { CoreTarget } from "../harness/core-target.ts";

/** The objectives a sweep has when nobody gives any. */
export { DEFAULT_OBJECTIVES as OBJECTIVES } from "../../load/sweep/objective.ts";

/** A fresh simulated H100 with Llama-3.1-8B, in virtual time. */
export function engine(): { clock: VirtualClock; target: CoreTarget } {
  const clock = new VirtualClock();
  const setup = { persona: "vllm", model: "Llama-3.1-8B", gpu: "h100", jitter: 0.02 } as const;
  const { core, facts } = buildEngine(setup, clock);
  return { clock, target: new CoreTarget(core, clock, facts.apiMs) };
}

/** A target that lets somebody look on. */
export function watched(
  target: Target,
  on: { readonly sent: (plannedMs: number) => void; readonly ended: (exchange: Exchange) => void },
): Target {
  return {
    label: target.label,
    async send(prompt: PlannedPrompt, signal: AbortSignal): Promise<Exchange> {
      on.sent(prompt.plannedMs);
      const exchange = await target.send(prompt, signal);
      on.ended(exchange);
      return exchange;
    },
  };
}
