import { runProgram } from "./commands/program.ts";

process.exitCode = await runProgram(process.argv, (text) => {
  process.stderr.write(text);
});
