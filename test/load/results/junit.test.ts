import { describe, expect, test } from "vitest";
import { reports } from "../../../load/results/report/index.ts";
import type { ReportInput } from "../../../load/results/report/report.ts";
import { judge, readThreshold } from "../../../load/results/thresholds.ts";
import { wholeRun } from "./fixture.ts";

const HOSTILE = `"><img src=x onerror=alert(1)>|\`=cmd()`;

describe("the JUnit file", () => {
  const write = (more: Partial<ReportInput>): string =>
    String(
      reports.junit.write({
        summary: wholeRun(),
        thresholds: [],
        comparison: null,
        command: "pitot sweep http://127.0.0.1:8000",
        ...more,
      }),
    );

  test("is a case per condition: failed, passed, skipped, and the run's own", () => {
    const thresholds = ["ttft_p50 > 10ms", "ttft_p50 > 300ms", "goodput < 0.95"].map((text) =>
      judge(readThreshold(text), wholeRun(), null),
    );
    const text = write({ thresholds });
    expect(text).toContain('skipped="1" tests="4" failures="1" errors="0" time="301.500"');
    expect(text.match(/<testcase /g)).toHaveLength(4);
    expect(text.match(/<failure /g)).toHaveLength(1);
  });

  test("of an invalid run has an error", () => {
    const text = write({
      summary: wholeRun({ valid: false, invalidBecause: "the generator was the limit" }),
    });
    expect(text).toContain('errors="1"');
    expect(text).toContain('<error message="the generator was the limit"/>');
  });

  test("has no attribute that Jenkins' schema does not know, and those it asks for", () => {
    const run = wholeRun({ valid: false, invalidBecause: "the generator was the limit" });
    const thresholds = ["ttft_p50 > 10ms", "goodput < 0.95"].map((text) =>
      judge(readThreshold(text), run, null),
    );
    const text = write({ summary: run, thresholds });
    // junit-10.xsd of jenkinsci/xunit-plugin; those asked for come first, up to the bar.
    const known: Readonly<Record<string, string>> = {
      testsuites: "| name time tests failures errors",
      testsuite:
        "name tests failures errors | group time skipped timestamp hostname id package file log url",
      testcase: "name | time classname group",
      error: "| type message",
      failure: "| type message",
      skipped: "| type message",
      "system-out": "|",
    };
    for (const [, tag = "", rest = ""] of text.matchAll(/<([a-z][a-z-]*)((?:\s[^<>]*)?)>/g)) {
      const names = [...rest.matchAll(/([a-z]+)="/g)].map(([, name]) => name);
      const [asked = "", free = ""] = known[tag]!.split("|");
      expect([...asked.split(" "), ...free.split(" ")]).toEqual(expect.arrayContaining(names));
      expect(names).toEqual(expect.arrayContaining(asked.split(" ").filter((name) => name !== "")));
    }
  });

  test("S29 stays well-formed whatever a model is called", () => {
    const run = wholeRun();
    const text = write({
      summary: {
        ...run,
        headline: `a\u0000b${HOSTILE}`,
        subject: { ...run.subject, model: HOSTILE },
      },
    });
    expect(text).not.toContain("<img");
    expect(text).not.toContain("\u0000");
    expect(text.match(/&(?!amp;|lt;|gt;|quot;|#39;)/g)).toBeNull();
    const opened = text.match(/<[a-z][^>]*[^/]>/g)!.length;
    expect(opened).toBe(text.match(/<\/[a-z-]+>/g)!.length);
  });
});
