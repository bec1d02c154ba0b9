import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

interface Finding {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

const source = readFileSync(createRequire(import.meta.url).resolve("axe-core"), "utf8");

/** Runs axe on a page; what is serious or critical comes back in short. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  await page.evaluate(source);
  const findings = await page.evaluate<readonly Finding[]>(
    "axe.run().then((result) => result.violations)",
  );
  return findings
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map((node) => `${node.html} (${node.failureSummary.split("\n").at(1)?.trim()})`)
          .join("; ")}`,
    );
}
