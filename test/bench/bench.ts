import { differenceBench } from "./difference.ts";
import { generatorBench } from "./generator.ts";
import { methodBench } from "./method.ts";
import { modelBench } from "./model.ts";
import { proxyBench } from "./proxy/bench.ts";
import { simBench } from "./sim.ts";
import { telemetryBench } from "./telemetry.ts";

/** `npm run bench [-- NAME …]`: prints tables; asserts nothing. */
const benches: Readonly<Record<string, (flags: readonly string[]) => Promise<void>>> = {
  difference: differenceBench,
  generator: generatorBench,
  method: methodBench,
  model: modelBench,
  proxy: proxyBench,
  sim: simBench,
  telemetry: telemetryBench,
};

const [name = "proxy", ...flags] = process.argv.slice(2);
const bench = benches[name];
if (bench === undefined) {
  console.error(`there is no bench "${name}": choose ${Object.keys(benches).join(", ")}.`);
  process.exit(2);
}
await bench(flags);
process.exit();
