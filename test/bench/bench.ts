import { proxyBench } from "./proxy.ts";

/** `npm run bench [-- proxy]`: prints tables of ratios; asserts nothing. */
const benches: Readonly<Record<string, () => Promise<void>>> = { proxy: proxyBench };

const name = process.argv[2] ?? "proxy";
const bench = benches[name];
if (bench === undefined) {
  console.error(`there is no bench "${name}": choose ${Object.keys(benches).join(", ")}.`);
  process.exit(2);
}
await bench();
process.exit(0);
