import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { commands } from "./commands/index.ts";
import { CommandError, EXIT } from "./commands/exit.ts";

/** Builds the program; every command is one file in `commands/` and one line in its list. */
function program(): Command {
  const pitot = new Command("pitot")
    .description("Measures LLM inference without slowing it: proxy, live board, sweeps.")
    .version(release())
    .showHelpAfterError("(run with --help for the flags)")
    .showSuggestionAfterError()
    .exitOverride();
  for (const command of Object.values(commands)) {
    const built = command();
    built.exitOverride().showSuggestionAfterError().copyInheritedSettings(pitot);
    pitot.addCommand(built);
  }
  return pitot;
}

/** Pitot's version, from the package file beside the sources or above the built ones. */
function release(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Runs the command line and returns the exit status. stdout is data, stderr is progress and errors. */
async function main(argv: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(argv);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof CommandError) {
      process.stderr.write(`pitot: ${error.message}\n`);
      return error.status;
    }
    throw error;
  }
}

process.exitCode = await main(process.argv);
