import { readShape, readShapes, type Shape, ShapeError } from "../../load/prompts/shape.ts";
import { longestTokens, plainWorkload, type Workload } from "../../load/prompts/workload.ts";
import { IN_FLIGHT_MAX } from "../../load/stage.ts";
import { DEFAULT_OBJECTIVES, ObjectiveError, readObjective } from "../../load/sweep/objective.ts";
import type { SweepPlan } from "../../load/sweep/plan.ts";
import { type Preset, presets } from "../../load/sweep/presets.ts";
import type { Replica } from "../upstream/replica.ts";
import { SweepError } from "./sweep-error.ts";
import { NO_RULES, type SweepRules, withDefaults, withinRule } from "./sweep-rules.ts";
import type { SweepGuards, SweepLimits, SweepRequest, TrafficFit } from "./sweep-view.ts";
import { arrivalsOf, fittedWorkload, MY_TRAFFIC } from "./traffic-fit.ts";

/** What is swept when nobody says. */
const SHAPE_DEFAULT = "1024x128";
const PRESET_DEFAULT = "quick";
/** Beside users a quarter of the replica is plenty to load it visibly; alone it may have all that a stage can hold. */
const SHARE_BESIDE = 0.25;
const TOKENS_DEFAULT = { drained: 100_000_000, beside: 20_000_000 };
const MINUTES_DEFAULT = { drained: 120, beside: 30 };
/** Sequences an engine that says nothing is taken to run at once: vLLM's default on a large card. */
const SEQUENCES_GUESS = 256;
/** Burning a month's budget six times too fast is what a ticket is opened for (Google SRE Workbook, "Alerting on SLOs"). */
const BURN_RATE_DEFAULT = 6;
/** A guard no tighter than what users have already, with as much again for a bad moment. */
const TTFT_ROOM = 2;

/** A request made whole: every default chosen, every text read. */
export interface SweepOrder {
  readonly request: SweepRequest;
  readonly model: string;
  readonly plan: SweepPlan;
  readonly path: NonNullable<SweepRequest["path"]>;
  readonly traffic: NonNullable<SweepRequest["traffic"]>;
  readonly limits: SweepLimits;
  readonly guards: SweepGuards | null;
  /** Synthetic requests under way at most. */
  readonly inFlightMax: number;
}

export interface OrderParts {
  readonly replica: Replica;
  /** Of the last minute, as users had it. */
  readonly realTtftP95Ms: number | null;
  /** What a first token should take at most. */
  readonly ttftTargetMs: number;
  /** Used unless one is asked for: the same prompts twice would be answered from the engine's prefix cache. */
  readonly seed: number;
  readonly fit: (model: string) => TrafficFit;
  /** What the configuration says of all sweeps. */
  readonly rules?: SweepRules;
  /** Beside those of the command line, for tests. */
  readonly presets?: Readonly<Record<string, Preset>>;
}

/** Chooses what a request leaves open. @throws {SweepError} naming the field that cannot be had. */
export function sweepOrder(asked: SweepRequest, parts: OrderParts): SweepOrder {
  const { replica, rules = NO_RULES } = parts;
  const request = withDefaults(asked, rules);
  const model = modelOf(request, replica);
  const { path = "both", traffic = "drained" } = request;
  // Alone on the replica there is nobody to share with.
  const share =
    traffic === "beside"
      ? withinRule("limits.share", request.limits?.share, {
          usual: SHARE_BESIDE,
          most: rules.limits.share,
        })
      : (request.limits?.share ?? 1);
  const capacity = Math.min(replica.stats?.maxSequences ?? SEQUENCES_GUESS, replica.inFlightMax);
  const isCapped = traffic === "beside" || request.limits?.share !== undefined;
  const inFlightMax = isCapped ? Math.max(1, Math.floor(share * capacity)) : IN_FLIGHT_MAX;
  const limits = {
    share,
    tokens: withinRule("limits.tokens", request.limits?.tokens, {
      usual: TOKENS_DEFAULT[traffic],
      most: rules.limits.tokens,
    }),
    minutes: withinRule("limits.minutes", request.limits?.minutes, {
      usual: MINUTES_DEFAULT[traffic],
      most: rules.limits.minutes,
    }),
  };
  return {
    request,
    model,
    plan: planOf(request, parts, { model, inFlightMax: isCapped ? inFlightMax : null }),
    path,
    traffic,
    limits,
    guards: traffic === "beside" ? guardsOf(request, parts, capacity) : null,
    inFlightMax,
  };
}

function guardsOf(request: SweepRequest, parts: OrderParts, capacity: number): SweepGuards {
  const { ttftTargetMs, realTtftP95Ms, rules = NO_RULES } = parts;
  const usual: SweepGuards = {
    ttftP95Ms: Math.max(ttftTargetMs, TTFT_ROOM * (realTtftP95Ms ?? 0)),
    burnRate: BURN_RATE_DEFAULT,
    inFlight: Math.floor(capacity / 2),
  };
  const guard = (name: keyof SweepGuards): number =>
    withinRule(`guards.${name}`, request.guards?.[name], {
      usual: usual[name],
      most: rules.guards[name],
    });
  return {
    ttftP95Ms: guard("ttftP95Ms"),
    burnRate: guard("burnRate"),
    inFlight: guard("inFlight"),
  };
}

function modelOf(request: SweepRequest, replica: Replica): string {
  const model = request.model ?? replica.models[0];
  if (model === undefined)
    throw new SweepError("invalid_sweep", `model: ${replica.id} lists no model: name one.`);
  if (replica.models.length > 0 && !replica.models.includes(model))
    throw new SweepError(
      "invalid_sweep",
      `model "${model}" is not served by ${replica.id}: it serves ${replica.models.join(", ")}.`,
    );
  return model;
}

function planOf(
  request: SweepRequest,
  { fit, presets: more, replica, seed: ownSeed }: OrderParts,
  { model, inFlightMax }: { readonly model: string; readonly inFlightMax: number | null },
): SweepPlan {
  const known: Readonly<Record<string, Preset>> = { ...presets, ...more };
  const { preset: name = PRESET_DEFAULT, shapes = [SHAPE_DEFAULT], seed = ownSeed } = request;
  const preset = Object.hasOwn(known, name) ? known[name] : undefined;
  if (preset === undefined)
    throw new SweepError(
      "invalid_sweep",
      `preset "${name}" is none of ${Object.keys(known).join(", ")}.`,
    );
  const fitted = shapes.includes(MY_TRAFFIC) ? fittedOf(request, () => fit(model)) : null;
  const workloads = workloadsOf(shapes, fitted);
  const modelMax =
    replica.recognition?.models.find(({ id }) => id === model)?.maxModelLen ?? Infinity;
  const tooLong = workloads.every((workload) => longestTokens(workload) > modelMax);
  if (tooLong)
    throw new SweepError(
      "invalid_sweep",
      `shapes: every one is longer than the ${modelMax} tokens ${model} takes: choose shorter ones.`,
    );
  return {
    preset: inFlightMax === null ? preset : withinCap(preset, inFlightMax),
    seed,
    workloads,
    objectives: objectivesOf(request.objectives ?? DEFAULT_OBJECTIVES),
    arrivals: fitted?.arrivals ?? "poisson",
    cv: fitted?.arrivals === "gamma" ? (fitted.arrivalCv ?? 1) : 1,
    rates: [],
    concurrencies: [],
  };
}

/** What a plan takes of fitted traffic. */
type Fitted = Pick<TrafficFit, "workload" | "arrivals" | "arrivalCv" | "notes">;

function fittedOf({ fit: given }: SweepRequest, fit: () => TrafficFit): Fitted {
  if (given === undefined) return fit();
  const { arrivalCv } = given;
  return { workload: fittedWorkload(given), arrivals: arrivalsOf(arrivalCv), arrivalCv, notes: [] };
}

function workloadsOf(shapes: readonly string[], fitted: Fitted | null): readonly Workload[] {
  const workloads = shapes.flatMap((shape) => {
    if (shape !== MY_TRAFFIC) return readable(shape);
    if (fitted?.workload === null || fitted === null)
      throw new SweepError("invalid_sweep", `shapes: ${fitted?.notes.join("; ") ?? ""}.`);
    return [fitted.workload];
  });
  return [...new Map(workloads.map((workload) => [workload.name, workload])).values()];
}

/** Shapes of one text, a shape or a list of them; none of `my-traffic`, whose shapes are its own. @throws {ShapeError} */
export function readableShapes(text: string): readonly Shape[] {
  if (text === MY_TRAFFIC) return [];
  return /^\d+[x/]\d+$/.test(text) ? [readShape(text)] : readShapes(text);
}

function readable(shape: string): readonly Workload[] {
  try {
    return readableShapes(shape).map(plainWorkload);
  } catch (error) {
    if (error instanceof ShapeError)
      throw new SweepError("invalid_sweep", `shapes: ${error.message}`);
    throw error;
  }
}

function objectivesOf(texts: readonly string[]): SweepPlan["objectives"] {
  try {
    return texts.map(readObjective);
  } catch (error) {
    if (error instanceof ObjectiveError)
      throw new SweepError("invalid_sweep", `objectives: ${error.message}`);
    throw error;
  }
}

/** No level of the plan means to go beyond the cap; an open-loop rate that does all the same ends the sweep. */
function withinCap(preset: Preset, max: number): Preset {
  const concurrencies = preset.warmUp.concurrencies.filter((level) => level <= max);
  const { ladder } = preset;
  return {
    ...preset,
    warmUp: { ...preset.warmUp, concurrencies: concurrencies.length === 0 ? [1] : concurrencies },
    ladder: {
      ...ladder,
      concurrencyMax: Math.min(ladder.concurrencyMax, max),
      flood: ladder.flood > max ? 0 : ladder.flood,
      overfill: 1,
    },
  };
}
