import type { Command } from "commander";
import { serveCommand } from "./serve.ts";
import { simCommand } from "./sim.ts";

/** Every command, in the order of `--help`. */
export const commands = {
  serve: serveCommand,
  sim: simCommand,
} satisfies Record<string, () => Command>;
