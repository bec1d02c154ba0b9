import type { Report, ReportInput } from "./report.ts";
import { escapeXml } from "./xml.ts";

interface Case {
  readonly name: string;
  readonly outcome: "passed" | "failed" | "skipped" | "error";
  readonly message: string;
}

/**
 * One test case per threshold, one for the run's validity: what CI servers draw. Valid under the strictest of them, Jenkins
 * (jenkinsci/xunit-plugin, junit-10.xsd), which knows no `skipped` on the root.
 */
export const junit: Report = {
  name: "junit",
  file: "junit.xml",
  write(input) {
    const { summary } = input;
    const cases = casesOf(input);
    const count = (outcome: Case["outcome"]): number =>
      cases.filter((one) => one.outcome === outcome).length;
    const seconds = (Date.parse(summary.endedAt) - Date.parse(summary.startedAt)) / 1000;
    const totals = `tests="${cases.length}" failures="${count("failed")}" errors="${count("error")}" time="${seconds.toFixed(3)}"`;
    const suite = escapeXml(`pitot sweep ${summary.subject.model}`);
    return [
      '<?xml version="1.0" encoding="UTF-8"?>',
      `<testsuites ${totals}>`,
      `  <testsuite name="${suite}" timestamp="${summary.startedAt.slice(0, 19)}" hostname="${escapeXml(summary.subject.target)}" skipped="${count("skipped")}" ${totals}>`,
      ...cases.map((one) => `    ${element(one, suite)}`),
      `    <system-out>${escapeXml(summary.headline)}</system-out>`,
      "  </testsuite>",
      "</testsuites>",
      "",
    ].join("\n");
  },
};

function casesOf({ summary, thresholds }: ReportInput): readonly Case[] {
  const valid: Case = {
    name: "the run is valid",
    outcome: summary.valid ? "passed" : "error",
    message: summary.invalidBecause ?? "",
  };
  const rest = thresholds.map(({ text, verdict, sentence }): Case => ({
    name: text,
    outcome: verdict === "breached" ? "failed" : verdict === "held" ? "passed" : "skipped",
    message: sentence,
  }));
  return [valid, ...rest];
}

function element({ name, outcome, message }: Case, suite: string): string {
  const open = `<testcase classname="${suite}" name="${escapeXml(name)}" time="0"`;
  if (outcome === "passed") return `${open}/>`;
  const tag = { failed: "failure", error: "error", skipped: "skipped" }[outcome];
  return `${open}><${tag} message="${escapeXml(message)}"/></testcase>`;
}
