import { parseArgs } from "node:util";
import { longRun } from "./long-run.ts";
import { learnTruth, runSeed, startEngines } from "./schedule.ts";

/**
 * `npm run soak`: five hundred seeds of the fault schedule. `npm run soak -- --minutes 10`: three hundred streams for ten
 * minutes, and what memory, handles and objects did. Exits 1 when a promise did not hold.
 */
const SEEDS = 500;
const STREAMS = 300;

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    seeds: { type: "string", default: String(SEEDS) },
    streams: { type: "string", default: String(STREAMS) },
  },
});

const broken =
  values.minutes === undefined
    ? await runSeeds(Number(values.seeds))
    : await longRun({
        minutes: Number(values.minutes),
        streams: Number(values.streams),
        say,
      });
process.exitCode = broken === 0 ? 0 : 1;

async function runSeeds(seeds: number): Promise<number> {
  const engines = await startEngines();
  const truth = await learnTruth(engines[0]!);
  let count = 0;
  for (let seed = 1; seed <= seeds; seed++) {
    const sentences = await runSeed(seed, engines, truth, { requests: 100, overMs: 700 });
    for (const sentence of sentences) say(sentence);
    count += sentences.length;
    if (seed % 25 === 0) say(`${seed} seeds, ${seed * 100} requests, ${count} broken promises`);
  }
  await Promise.all(engines.map((engine) => engine.close()));
  return count;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
