import { Command, Option } from "commander";
import type { StoredType } from "../../engines/catalog/checkpoints.ts";
import type { Recipe } from "../../engines/catalog/recipe.ts";
import { CommandError, EXIT } from "./exit.ts";
import { integerFlag } from "./number-flag.ts";

type Form = "process" | "docker" | "kubernetes";

interface RecipeFlags {
  readonly gpu: string;
  readonly tp: number;
  readonly weights?: StoredType;
  readonly port?: number;
  readonly format: Form;
  readonly json?: true;
}

const PORT_MAX = 65_535;
/** More cards than this are no longer one machine. */
const TP_MAX = 16;

/** `pitot recipe`: how to start an engine with a model on a card, to copy and paste. */
export function recipeCommand(): Command {
  return new Command("recipe")
    .description("print the command that starts an engine with a model on your cards")
    .argument("<engine>", "vllm, sglang, tensorrt-llm or llama.cpp")
    .argument("<model>", "model of the catalogue, such as llama-3.1-8b or Qwen/Qwen3-32B-FP8")
    .option("--gpu <name>", "card it runs on", "h100")
    .option("--tp <n>", "cards it is split over", integerFlag({ min: 1, max: TP_MAX }), 1)
    .addOption(
      new Option("--weights <type>", "weight type (the model's own when absent)").choices([
        "bf16",
        "fp8",
        "mxfp4",
        "q8_0",
        "q4_k_m",
      ]),
    )
    .option(
      "--port <n>",
      "where it listens (the engine's own when absent)",
      integerFlag({ min: 1, max: PORT_MAX }),
    )
    .addOption(
      new Option("--format <form>", "what to print")
        .choices(["process", "docker", "kubernetes"])
        .default("process"),
    )
    .option("--json", "print one JSON document with every form")
    .addHelpText(
      "after",
      "\nExamples:\n  pitot recipe vllm llama-3.1-8b\n  pitot recipe sglang llama-3.3-70b --weights fp8 --tp 2 --format docker\n  pitot recipe vllm qwen3-32b --format kubernetes | kubectl apply -f -\n",
    )
    .action(runRecipe);
}

async function runRecipe(engine: string, model: string, flags: RecipeFlags): Promise<void> {
  const { recipeFor } = await import("../../engines/catalog/recipe-order.ts");
  const { RecipeError } = await import("../../engines/catalog/recipe.ts");
  const { format, json, ...on } = flags;
  try {
    const recipe = recipeFor({ engine, model, ...on });
    const text = json === true ? await document(recipe) : await sheet(recipe, format);
    process.stdout.write(text);
  } catch (error) {
    throw error instanceof RecipeError ? new CommandError(EXIT.usage, error.message) : error;
  }
}

/** The form asked for under what to know first, as comments: the whole can be piped on. */
async function sheet(recipe: Recipe, form: Form): Promise<string> {
  const { memoryInWords } = await import("../../engines/catalog/recipe-fit.ts");
  const { engine, version, install, port, metricsPath } = recipe;
  const facts = [
    `${recipe.checkpoint} on ${engine} ${version}`,
    memoryInWords(recipe, recipe.memory),
    ...recipe.notes,
    ...(form === "process" ? [`install: ${install}`] : []),
    `statistics at :${port}${metricsPath}; then: pitot serve --replica http://HOST:${port}`,
  ];
  const comments = facts.map((fact) => `# ${fact}\n`).join("");
  return comments + (await formOf(recipe, form));
}

async function formOf(recipe: Recipe, form: Form): Promise<string> {
  if (form === "kubernetes") {
    const { kubernetesForm } = await import("../../engines/catalog/kubernetes.ts");
    return kubernetesForm(recipe);
  }
  const { dockerForm, processForm } = await import("../../engines/catalog/recipe-forms.ts");
  return form === "docker" ? dockerForm(recipe) : processForm(recipe);
}

async function document(recipe: Recipe): Promise<string> {
  const { model, gpu, memory, ...rest } = recipe;
  const whole = {
    ...rest,
    model: model.id,
    gpu: gpu.name,
    weightBytesPerGpu: Math.round(memory.weightBytes),
    kvCacheBytesPerGpu: Math.round(memory.cacheBytes),
    sequenceTokensMax: memory.lengthTokens,
    process: await formOf(recipe, "process"),
    docker: await formOf(recipe, "docker"),
    kubernetes: await formOf(recipe, "kubernetes"),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}
