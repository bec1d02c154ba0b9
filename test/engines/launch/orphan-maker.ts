import { systemClock } from "../../../engines/clock.ts";
import { ProcessGroup } from "../../../engines/launch/process-group.ts";

/** Starts a program with a grandchild, tells their ids, and waits to be killed: what becomes of them then is what is tested. */
const group = new ProcessGroup({
  command: ["sh", "-c", `${process.argv[2]}; sleep 1000 & echo $!; while :; do sleep 1; done`],
  orphanGraceMs: 1_000,
  clock: systemClock,
  log: {
    line: (text) => process.stdout.write(`${group.pid} ${text}\n`),
    unfinished: () => {},
  },
});
await group.ended;
