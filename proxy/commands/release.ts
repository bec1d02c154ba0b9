import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Pitot's version, from the package file beside the sources or above the built ones. */
export function releaseVersion(): string {
  const [beside, above] = ["../..", "../../.."].map((up) =>
    join(import.meta.dirname, up, "package.json"),
  );
  const file = beside !== undefined && existsSync(beside) ? beside : (above ?? "");
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
