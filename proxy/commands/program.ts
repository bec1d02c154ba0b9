import { Command, CommanderError } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import { commands } from "./index.ts";
import { releaseVersion } from "./release.ts";

/** Takes what goes to stderr; help and versions go to stdout. */
export type Say = (text: string) => void;

/** Builds the program; every command is one file in `commands/` and one line in its list. */
export function program(say: Say): Command {
  const pitot = new Command("pitot")
    .description("Measures LLM inference without slowing it: proxy, live board, sweeps.")
    .version(releaseVersion())
    .showHelpAfterError("(run with --help for the flags)")
    .showSuggestionAfterError()
    .configureOutput({ writeErr: say })
    .exitOverride();
  for (const command of Object.values(commands)) {
    const built = command();
    built.exitOverride().showSuggestionAfterError().copyInheritedSettings(pitot);
    pitot.addCommand(built);
  }
  return pitot;
}

/** Runs the command line and returns the exit status. stdout is data, stderr is progress and errors. */
export async function runProgram(argv: readonly string[], say: Say): Promise<number> {
  try {
    await program(say).parseAsync(argv);
    return Number(process.exitCode ?? EXIT.ok);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof CommandError) {
      say(`pitot: ${error.message}\n`);
      return error.status;
    }
    throw error;
  }
}
