import type { Command } from "commander";
import { compareCommand } from "./compare.ts";
import { configCommand } from "./config.ts";
import { demoCommand } from "./demo.ts";
import { doctorCommand } from "./doctor.ts";
import { recipeCommand } from "./recipe.ts";
import { recordCommand } from "./record.ts";
import { replayCommand } from "./replay.ts";
import { reportCommand } from "./report.ts";
import { serveCommand } from "./serve.ts";
import { simCommand } from "./sim.ts";
import { sweepCommand } from "./sweep.ts";

/** Every command, in the order of `--help`. */
export const commands = {
  demo: demoCommand,
  serve: serveCommand,
  sim: simCommand,
  sweep: sweepCommand,
  compare: compareCommand,
  report: reportCommand,
  record: recordCommand,
  replay: replayCommand,
  recipe: recipeCommand,
  doctor: doctorCommand,
  config: configCommand,
} satisfies Record<string, () => Command>;
