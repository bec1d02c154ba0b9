import type { Cancel, Clock } from "../clock.ts";
import { type Fault, FaultError, readFaults } from "./faults.ts";

/** At a time after the start, the faults from then on. An empty list heals. */
export interface ScriptStep {
  readonly atSeconds: number;
  readonly faults: readonly Fault[];
}

/** More steps than a day of one a second is a mistake. */
const STEPS_MAX = 86_400;

/**
 * Reads a script: a list of `{atSeconds, faults}`, or `{steps: […]}`.
 * @throws {FaultError} naming the step and what is wrong with it.
 */
export function readScript(value: unknown): readonly ScriptStep[] {
  const steps = Array.isArray(value) ? value : (value as { steps?: unknown } | null)?.steps;
  if (!Array.isArray(steps))
    throw new FaultError(
      "a script must be a list of steps, each with atSeconds and faults: [{atSeconds: 10, faults: [{kind: freeze}]}].",
    );
  if (steps.length > STEPS_MAX)
    throw new FaultError(`a script of ${steps.length} steps is too long: at most ${STEPS_MAX}.`);
  let earlier = 0;
  return steps.map((step: unknown, index) => {
    const { atSeconds, faults, ...rest } = (step ?? {}) as Record<string, unknown>;
    const stranger = Object.keys(rest)[0];
    if (stranger !== undefined)
      throw new FaultError(
        `step ${index + 1} has no field ${stranger}: give atSeconds and faults.`,
      );
    if (typeof atSeconds !== "number" || !(atSeconds >= 0) || !Number.isFinite(atSeconds))
      throw new FaultError(
        `step ${index + 1}: atSeconds must be a number from 0, got ${JSON.stringify(atSeconds)}.`,
      );
    if (atSeconds < earlier)
      throw new FaultError(
        `step ${index + 1}: atSeconds ${atSeconds} is before the ${earlier} of the step above: put steps in order.`,
      );
    earlier = atSeconds;
    try {
      return { atSeconds, faults: readFaults(faults ?? []) };
    } catch (error) {
      if (error instanceof FaultError)
        throw new FaultError(`step ${index + 1} (at ${atSeconds} s): ${error.message}`);
      throw error;
    }
  });
}

/** Plays a script from now on; the returned function stops it. */
export function playScript(
  script: readonly ScriptStep[],
  clock: Clock,
  apply: (faults: readonly Fault[]) => void,
): Cancel {
  const cancels = script.map(({ atSeconds, faults }) =>
    clock.schedule(atSeconds * 1000, () => {
      apply(faults);
    }),
  );
  return () => {
    for (const cancel of cancels) cancel();
  };
}
