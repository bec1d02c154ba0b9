import { systemClock } from "../../engines/clock.ts";
import { loopbackCeiling } from "../../load/generator/ceiling.ts";
import { WorkerTarget } from "../../load/generator/worker-target.ts";

const WORKERS = [1, 2];

/** `npm run bench -- generator`: events a second the load generator reads over loopback, by threads. */
export async function generatorBench(): Promise<void> {
  console.log("| workers | events/s read |");
  console.log("| --: | --: |");
  for (const workers of WORKERS) {
    const eventsPerSecond = await loopbackCeiling(systemClock, async (url) => {
      const target = await WorkerTarget.start(
        {
          url,
          model: "m",
          engine: "openai",
          exactLength: false,
          forceWith: null,
          refused: [],
          headers: [],
          connect: {},
        },
        workers,
        systemClock,
      );
      return target;
    });
    console.log(`| ${workers} | ${eventsPerSecond.toFixed(0)} |`);
  }
}
