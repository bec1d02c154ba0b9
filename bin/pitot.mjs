#!/usr/bin/env node
// Plain JavaScript on purpose: it must be able to say one sentence on a Node too old for the rest.
import { existsSync } from "node:fs";

const NODE_MAJOR_MIN = 24;
if (Number(process.versions.node.split(".")[0]) < NODE_MAJOR_MIN) {
  console.error(
    `pitot needs Node.js ${NODE_MAJOR_MIN} or newer and found ${process.versions.node}: install a newer Node, or run it through npm in a checkout, which brings its own.`,
  );
  process.exit(2);
}
const built = new URL("../dist/proxy/cli.js", import.meta.url);
const source = new URL("../proxy/cli.ts", import.meta.url);
await import(existsSync(source) ? source.href : built.href);
