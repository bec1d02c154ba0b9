import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compareRuns } from "../../load/results/compare.ts";
import { reports } from "../../load/results/report/index.ts";
import { judge, readThreshold } from "../../load/results/thresholds.ts";
import { runsDirectory } from "../harness/kept-run.ts";
import { point, shape, summary, wholeRun } from "../load/results/fixture.ts";
import { seriousFindings } from "./axe.ts";
import { openChromium, openPage } from "./chromium.ts";

let browser: Browser;

beforeAll(async () => {
  browser = await openChromium();
}, 60_000);

afterAll(() => browser.close());

const HOSTILE = `"><script>document.title="owned"</script>]]>&\u0000`;
const later = { ...wholeRun(), runId: "later" };
const input = {
  summary: later,
  thresholds: ["ttft_p50 > 20ms", "ttft_p50 > 300ms", "goodput < 0.9"].map((text) =>
    judge(readThreshold(text), later, null),
  ),
  comparison: compareRuns(wholeRun(), later),
  command: "pitot sweep http://127.0.0.1:8000",
};
const hostile = {
  ...input,
  summary: summary([shape([point("x", { warnings: [HOSTILE] })], { shape: HOSTILE })], {
    valid: false,
    invalidBecause: HOSTILE,
    subject: { ...later.subject, model: HOSTILE, engineVersion: HOSTILE },
  }),
};

/** A report's file, opened from disk without a network: what it asked for, and what the console said. */
async function open(name: "html" | "junit", what: typeof input) {
  const file = join(runsDirectory(), reports[name].file);
  writeFileSync(file, reports[name].write(what));
  const page = await openPage(browser, { offline: true });
  const asked: string[] = [];
  const said: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  const url = pathToFileURL(file).href;
  await page.goto(url);
  return { page, said, asked: asked.filter((one) => one !== url) };
}

describe("the HTML report opened offline", () => {
  test.each([
    ["light", "of a whole run", input, 4],
    ["dark", "of a whole run", input, 4],
    ["light", "of a run with hostile names", hostile, 0],
  ] as const)(
    "in %s, %s, asks for nothing, says nothing and is readable by all",
    async (colorScheme, _, what, pictures) => {
      const { page, said, asked } = await open("html", what);
      await page.emulateMedia({ colorScheme });
      expect(await page.locator("svg").count()).toBeGreaterThanOrEqual(pictures);
      expect(await page.locator("h1").textContent()).toContain(what.summary.subject.engine);
      expect(await page.title()).not.toBe("owned");
      expect([asked, said]).toEqual([[], []]);
      expect(await seriousFindings(page)).toEqual([]);
      await page.close();
    },
  );

  test("shows every condition and every point in its tables", async () => {
    const { page } = await open("html", input);
    const rows = (caption: string): Promise<number> =>
      page.locator(`table:has(caption:text-is("${caption}")) tbody tr`).count();
    expect(await rows("Conditions")).toBe(3);
    expect(await rows("Points")).toBe(6);
    await page.close();
  });
});

test("the JUnit file is well-formed XML whatever an engine is called", async () => {
  for (const what of [input, hostile]) {
    const { page } = await open("junit", what);
    const xml = String(reports.junit.write(what));
    const found = await page.evaluate(`(() => {
      const parsed = new DOMParser().parseFromString(${JSON.stringify(xml)}, "application/xml");
      const count = (what) => parsed.querySelectorAll(what).length;
      const tests = Number(parsed.querySelector("testsuite")?.getAttribute("tests"));
      return { errors: count("parsererror"), cases: count("testcase"), tests };
    })()`);
    expect(found).toEqual({ errors: 0, cases: 4, tests: 4 });
    await page.close();
  }
});
