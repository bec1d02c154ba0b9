import { monitorEventLoopDelay } from "node:perf_hooks";

/** Loaded into a process under test: on SIGUSR2 it prints the 99th percentile of its loop's delay since the last time. */
const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on("SIGUSR2", () => {
  process.stderr.write(`loop-delay-p99-ms=${(delay.percentile(99) / 1e6).toFixed(3)}\n`);
  delay.reset();
});
