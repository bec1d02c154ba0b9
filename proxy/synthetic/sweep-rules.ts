import { presets } from "../../load/sweep/presets.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import { SweepError } from "./sweep-error.ts";
import type { SweepGuards, SweepLimits, SweepRequest } from "./sweep-view.ts";

/** What every sweep of one proxy keeps to, whoever asks for it: the section `sweeps` of its configuration. */
export interface SweepRules extends Pick<
  SweepRequest,
  "preset" | "shapes" | "objectives" | "path" | "traffic"
> {
  /** The most any sweep may take. */
  readonly limits: Partial<SweepLimits>;
  /** The loosest a guard may be. */
  readonly guards: Partial<SweepGuards>;
  /** Runs of a proxy's own sweeps kept on disk; all of them when left out. */
  readonly runsMax?: number;
}

/** Nothing that was not asked for. */
export const NO_RULES: SweepRules = { limits: {}, guards: {} };

export const PRESET_NAMES = Object.keys(presets) as readonly SweepPlan["preset"]["name"][];

/** A request with the defaults of the rules where it says nothing. */
export function withDefaults(request: SweepRequest, rules: SweepRules): SweepRequest {
  const { limits: _limits, guards: _guards, runsMax: _runsMax, ...defaults } = rules;
  return { ...defaults, ...request };
}

/**
 * The value asked for, or the default as far as the rules allow.
 * @throws {SweepError} when more is asked for than they allow.
 */
export function withinRule(
  field: string,
  asked: number | undefined,
  { usual, most = Infinity }: { readonly usual: number; readonly most?: number | undefined },
): number {
  if (asked === undefined) return Math.min(usual, most);
  if (asked <= most) return asked;
  throw new SweepError(
    "invalid_sweep",
    `${field}: ${asked} is more than sweeps may have here: sweeps.${field} of the configuration says ${most}.`,
  );
}
