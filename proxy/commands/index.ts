import type { Command } from "commander";
import { configCommand } from "./config.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { recipeCommand } from "./recipe.ts";
import { recordCommand } from "./record.ts";
import { replayCommand } from "./replay.ts";
import { serveCommand } from "./serve.ts";
import { simCommand } from "./sim.ts";
import { sweepCommand } from "./sweep.ts";

/** Every command, in the order of `--help`. */
export const commands = {
  demo: demoCommand,
  serve: serveCommand,
  sim: simCommand,
  sweep: sweepCommand,
  record: recordCommand,
  replay: replayCommand,
  recipe: recipeCommand,
  doctor: doctorCommand,
  config: configCommand,
} satisfies Record<string, () => Command>;
