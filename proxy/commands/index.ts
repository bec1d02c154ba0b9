import type { Command } from "commander";

/** Every command, in the order of `--help`. */
export const commands = {} satisfies Record<string, () => Command>;
