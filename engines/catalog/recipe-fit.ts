import { checkpointsOf, storedBytes } from "./checkpoints.ts";
import { type Gpu, gpus, hasFp8 } from "./gpus.ts";
import { type MemoryPlan, planMemory } from "./memory.ts";
import type { Model } from "./models.ts";
import { eitherOf } from "./nearest.ts";
import { RecipeError, type Subject } from "./recipe.ts";
import { hasCheckpoint } from "./recipe-checkpoint.ts";

const DEGREES = [1, 2, 4, 8, 16] as const;
const GB = 1e9;

/** Plans the memory of a subject. @throws {RecipeError} when it cannot be split that way, or does not fit; says what would. */
export function fit(subject: Subject): MemoryPlan {
  const fault = splitFault(subject);
  if (fault !== null) throw new RecipeError(fault);
  const plan = planOf(subject);
  if (plan.lengthTokens > 0) return plan;
  throw new RecipeError(doesNotFit(subject, plan));
}

/** Weights and cache in words, for people who plan. */
export function memoryInWords({ gpu, tp, weights }: Subject, plan: MemoryPlan): string {
  const each = tp === 1 ? "" : " each";
  return `${gb(plan.weightBytes)} of ${weights} weights on ${tp} × ${gpu.title}${each} leave ${gb(plan.cacheBytes)} for KV cache; one sequence up to ${plan.lengthTokens} tokens`;
}

function planOf(subject: Subject): MemoryPlan {
  const { engine, model, weights } = subject;
  const own = { ...subject, weightBytes: storedBytes(model, weights) };
  return planMemory(engine, model, own);
}

/** Why a model cannot be split over `tp` cards, or `null`. */
function splitFault(subject: Subject): string | null {
  const { model, tp, gpu, engine } = subject;
  if (tp > gpu.perMachine)
    return `--tp ${tp} is more than the ${gpu.perMachine} × ${gpu.title} of one machine: choose at most ${gpu.perMachine}.`;
  // llama.cpp gives each card whole layers.
  if (engine === "llama.cpp") {
    return tp <= model.layers
      ? null
      : `--tp ${tp} is more than the ${model.layers} layers of ${model.id}.`;
  }
  const choices = DEGREES.filter((degree) => degree <= gpu.perMachine && divides(subject, degree));
  if (divides(subject, tp)) return null;
  const why = headsDivide(model, tp)
    ? `cuts the ${innerWidth(model)} columns of the feed-forward block of ${model.id} across its FP8 scales, one per ${checkpointsOf(model).fp8BlockColumns}`
    : `does not divide the ${model.heads} attention heads and ${model.kvHeads} key-value heads of ${model.id}`;
  return `--tp ${tp} ${why}: choose ${eitherOf(choices.map(String))}.`;
}

function divides({ model, weights }: Subject, tp: number): boolean {
  if (!headsDivide(model, tp)) return false;
  const block = weights === "fp8" ? checkpointsOf(model).fp8BlockColumns : undefined;
  return block === undefined || (innerWidth(model) / tp) % block === 0;
}

/** Key-value heads are copied where there are fewer of them than cards. */
function headsDivide({ heads, kvHeads, latent }: Model, tp: number): boolean {
  const shared = kvHeads % tp === 0 || tp % kvHeads === 0;
  return heads % tp === 0 && (latent !== undefined || shared);
}

function innerWidth({ ffn, experts }: Model): number {
  return experts?.ffn ?? ffn;
}

function doesNotFit(subject: Subject, plan: MemoryPlan): string {
  const { model, gpu, tp, weights } = subject;
  const total = gb(plan.weightBytes * tp);
  const here = `${model.id} does not fit on ${tp} × ${gpu.title}: ${total} of ${weights} weights`;
  const room = plan.weightBytes > gpu.memoryBytes ? "" : ` leave no room for a useful KV cache`;
  const ways = waysOut(subject);
  const advice = ways.length === 0 ? "it needs more than one machine" : `use ${ways.join(", or ")}`;
  return `${here}${room}; ${advice}.`;
}

/** Changes that make it fit, the smallest first: more cards, smaller weights, larger cards. */
function waysOut(subject: Subject): readonly string[] {
  const { weights, gpu, engine } = subject;
  const ways: string[] = [];
  const more = degreeThatFits(subject);
  if (more !== null) ways.push(`--tp ${more}`);
  const smaller = engine === "llama.cpp" ? "q4_k_m" : hasFp8(gpu) ? "fp8" : null;
  if (smaller !== null && weights !== smaller) {
    const lighter: Subject = { ...subject, weights: smaller };
    const degree = hasCheckpoint(lighter) ? degreeThatFits(lighter, subject.tp) : null;
    if (degree !== null && (more === null || degree < more))
      ways.push(
        degree === subject.tp ? `--weights ${smaller}` : `--weights ${smaller} --tp ${degree}`,
      );
  }
  if (ways.length > 0) return ways;
  const larger = largerGpu(subject);
  return larger === null ? [] : [`--gpu ${larger.gpu.name} --tp ${larger.tp}`];
}

/** Cards on a full NVLink switch only: what does not fit on one card is split over several. */
function largerGpu(subject: Subject): { readonly gpu: Gpu; readonly tp: number } | null {
  for (const gpu of Object.values(gpus)) {
    if (gpu.memoryBytes <= subject.gpu.memoryBytes || gpu.link !== "nvlink") continue;
    const tp = degreeThatFits({ ...subject, gpu }, 1);
    if (tp !== null) return { gpu, tp };
  }
  return null;
}

function degreeThatFits(subject: Subject, from = subject.tp + 1): number | null {
  const fits = DEGREES.find((tp) => {
    const wider = { ...subject, tp };
    return tp >= from && splitFault(wider) === null && planOf(wider).lengthTokens > 0;
  });
  return fits ?? null;
}

function gb(bytes: number): string {
  return bytes < 10 * GB ? `${(bytes / GB).toFixed(1)} GB` : `${Math.round(bytes / GB)} GB`;
}
