import { makeObjectsYoung } from "./commands/collector.ts";
import { runProgram } from "./commands/program.ts";

makeObjectsYoung();
process.exitCode = await runProgram(process.argv, (text) => {
  process.stderr.write(text);
});
