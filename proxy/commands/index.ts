import type { Command } from "commander";
import { simCommand } from "./sim.ts";

/** Every command, in the order of `--help`. */
export const commands = {
  sim: simCommand,
} satisfies Record<string, () => Command>;
