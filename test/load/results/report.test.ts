import { parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { compareRuns } from "../../../load/results/compare.ts";
import { columns, resultPoints } from "../../../load/results/report/column.ts";
import { reports } from "../../../load/results/report/index.ts";
import type { ReportInput } from "../../../load/results/report/report.ts";
import { judge, readThreshold } from "../../../load/results/thresholds.ts";
import { latency, openPoint, point, shape, summary, wholeRun } from "./fixture.ts";

const HOSTILE = `"><img src=x onerror=alert(1)>|\`=cmd()`;

function input(more: Partial<ReportInput> = {}): ReportInput {
  return {
    summary: wholeRun(),
    thresholds: [],
    comparison: null,
    command: "pitot sweep http://127.0.0.1:8000 --preset quick",
    ...more,
  };
}

/** A small RFC 4180 reader: what a spreadsheet sees. */
function readCsv(text: string): readonly (readonly string[])[] {
  const rows: string[][] = [[""]];
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!;
    const row = rows.at(-1)!;
    if (quoted && char === '"' && text[at + 1] === '"') row[row.length - 1] += text.charAt(++at);
    else if (char === '"') quoted = !quoted;
    else if (quoted) row[row.length - 1] += char;
    else if (char === ",") row.push("");
    else if (char === "\n") rows.push([""]);
    else if (char !== "\r") row[row.length - 1] += char;
  }
  return rows.slice(0, -1);
}

test("where answers began with reasoning, reports tell when the answer itself did; elsewhere there is no such column", () => {
  const run = summary([shape([point("c8", { ttfotMs: latency(812) }), point("c16")])]);
  for (const name of ["md", "html"] as const) {
    expect(String(reports[name].write(input({ summary: run })))).toMatch(/TTFOT p50[^]*812 ms/);
    expect(String(reports[name].write(input()))).not.toContain("TTFOT p50");
  }
  const [head, row, next] = readCsv(String(reports.csv.write(input({ summary: run }))));
  const at = head!.indexOf("ttfot_p50_ms");
  expect([row![at], next![at]]).toEqual(["812", ""]);
});

describe("the CSV", () => {
  test("comes back as it went, a row a point, the warm-up left out", () => {
    const [head, ...rows] = readCsv(String(reports.csv.write(input())));
    expect(head).toEqual(columns.map(({ name }) => name));
    const run = wholeRun();
    const wanted = resultPoints(run).map((one) =>
      columns.map((column) => String(column.of(one, run) ?? "")),
    );
    expect(rows).toEqual(wanted);
    expect(rows).toHaveLength(6);
  });

  test("S30 keeps a spreadsheet from running what an engine was called", () => {
    const run = wholeRun();
    const subject = { ...run.subject, model: '=cmd("x")', engineVersion: "+1", target: "-2" };
    const text = String(reports.csv.write(input({ summary: { ...run, subject } })));
    const [, row] = readCsv(text);
    const cellOf = (name: string): string =>
      row![columns.findIndex((column) => column.name === name)]!;
    expect(cellOf("model")).toBe(`'=cmd("x")`);
    expect(cellOf("engine_version")).toBe("'+1");
    expect(cellOf("target")).toBe("'-2");
  });
});

test("the Parquet file holds the same table, typed, unknown as null", async () => {
  const run = summary([
    shape([point("c1", { concurrency: 1, ttftMs: { ...latency(30), p99: null } }), openPoint(2.5)]),
  ]);
  const bytes = reports.parquet.write(input({ summary: run })) as Uint8Array;
  const file = bytes.buffer.slice(
    bytes.byteOffset,
    bytes.byteOffset + bytes.byteLength,
  ) as ArrayBuffer;
  const rows = await parquetReadObjects({ file });
  expect(rows).toHaveLength(2);
  expect(rows[0]).toMatchObject({
    model: run.subject.model,
    concurrency: 1,
    offered_rate_per_second: null,
    ttft_p50_ms: 30,
    ttft_p99_ms: null,
    valid: true,
  });
  expect(rows[1]).toMatchObject({
    concurrency: null,
    offered_rate_per_second: 2.5,
    saturated: false,
  });
});

test("the JSON lines are a line per point, capacity and verdict, each with its kind", () => {
  const thresholds = [judge(readThreshold("ttft_p50 > 300ms"), wholeRun(), null)];
  const rows = String(reports.jsonl.write(input({ thresholds })))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { kind: string });
  const kinds = Object.groupBy(rows, ({ kind }) => kind);
  expect(kinds["point"]).toHaveLength(6);
  expect(kinds["capacity"]).toHaveLength(1);
  expect(kinds["threshold"]).toHaveLength(1);
});

describe("the Markdown", () => {
  test("begins with what it is and the answer in words", () => {
    const text = String(reports.md.write(input()));
    expect(text.split("\n\n").slice(0, 2)).toEqual([
      "## meta-llama/Llama-3.1-8B-Instruct on vllm 0.25.1",
      wholeRun().headline,
    ]);
    expect(text).toContain("| 1024x128 | 9.00 req/s |");
    expect(text).toContain("saturated: latency grows with the length of the run");
  });

  test("S29 lets no name of an engine become markup", () => {
    const run = wholeRun();
    const text = String(
      reports.md.write(input({ summary: { ...run, subject: { ...run.subject, model: HOSTILE } } })),
    );
    expect(text.split("\n")[0]).not.toMatch(/(?<!\\)[|<>`]/);
  });
});

describe("the HTML", () => {
  test("needs nothing from outside and runs nothing", () => {
    const text = String(reports.html.write(input()));
    expect(text).not.toMatch(/<script|src=|href=|@import|url\(/);
    expect(text).toContain("default-src 'none'");
    expect(text.match(/<svg /g)).toHaveLength(4);
  });

  test("draws saturated points open, objectives as lines, and says each point on hover", () => {
    const text = String(reports.html.write(input()));
    // The same point in two pictures: TTFT and TPOT against rate.
    expect(text.match(/dot s1 hollow/g)).toHaveLength(2);
    expect(text).toContain(">ttft_p95&lt;=1s</text>");
    expect(text).toContain(
      "<title>3.20 req/s: p50 60.0 ms (57.0 ms to 63.0 ms), 200 requests</title>",
    );
  });

  test("of a run with nothing in it has its tables and no picture", () => {
    const text = String(reports.html.write(input({ summary: summary([]) })));
    expect(text).not.toContain("<svg");
    expect(text).toContain("Every point");
  });

  test("S29 escapes every name", () => {
    const run = wholeRun();
    const hostile = {
      ...run,
      headline: HOSTILE,
      subject: { ...run.subject, model: HOSTILE, target: HOSTILE },
    };
    const text = String(reports.html.write(input({ summary: hostile, command: HOSTILE })));
    expect(text).not.toContain("<img");
  });
});

describe("two runs compared", () => {
  const slower = wholeRun({
    runId: "later",
    shapes: [shape([point("c8", { ttftMs: latency(60), tpotMs: latency(7.05) })])],
  });

  test("differ only where their intervals lie apart, and by enough", () => {
    const { rows, worse, better, sentence } = compareRuns(wholeRun(), slower);
    const verdicts = Object.fromEntries(rows.map(({ quantity, verdict }) => [quantity, verdict]));
    expect(verdicts).toMatchObject({
      "TTFT p50": "worse",
      "TTFT p95": "worse",
      "TPOT p50": "same",
      "output tokens": "same",
    });
    expect([worse, better]).toEqual([2, 0]);
    expect(sentence).toContain("2 are worse and 0 better");
  });

  test("that are the same run do not differ", () => {
    expect(compareRuns(wholeRun(), wholeRun())).toMatchObject({ worse: 0, better: 0 });
  });

  test("say nothing of latencies beyond saturation, which grow with the run", () => {
    const long = shape([openPoint(9, { ttftMs: latency(40_000), saturated: true })]);
    const { rows } = compareRuns(wholeRun(), summary([long]));
    expect(rows.map(({ quantity }) => quantity)).toEqual(["output tokens", "ttft_p95<=1s"]);
  });

  test("without a load in common say so", () => {
    const other = summary([{ ...shape([point("x")]), shape: "128x1024" }]);
    expect(compareRuns(wholeRun(), other).sentence).toContain("Nothing can be compared");
  });

  test("of different versions say that", () => {
    const run = wholeRun();
    const newer = { ...run, subject: { ...run.subject, engineVersion: "0.26.0" } };
    expect(compareRuns(run, newer).warnings).toEqual(["engine version: 0.25.1 before, 0.26.0 now"]);
  });
});

describe("a condition", () => {
  const verdict = (text: string, run = wholeRun(), baseline: typeof run | null = null): string =>
    judge(readThreshold(text), run, baseline).verdict;

  test.each([
    ["ttft_p50 > 300ms", "held"],
    ["ttft_p50 > 20ms", "breached"],
    ["ttft_p50 > 31ms", "undecided"],
    ["ttft_p50@8 > 39ms", "undecided"],
    ["ttft_p50@8 > 30ms", "breached"],
    ["ttft_p95@3.2rps > 0.5s", "held"],
    ["ttft_p95@5rps > 0.5s", "undecided"],
    ["throughput < 1000", "held"],
    ["throughput < 2000", "breached"],
    ["capacity < 6", "held"],
    ["capacity < 6.5", "undecided"],
    ["capacity < 7", "breached"],
    ["capacity(ttft_p95<=1s) < 7", "breached"],
    ["capacity(e2e_p99<=1s) < 7", "undecided"],
    ["failed > 1%", "held"],
    ["goodput < 0.95", "undecided"],
  ])("%s is %s", (text, wanted) => {
    expect(verdict(text)).toBe(wanted);
  });

  test("against a baseline is judged by both intervals' figures", () => {
    const slow = wholeRun({
      shapes: [
        shape([point("c1", { stage: "minimum", concurrency: 1, ttftMs: latency(60, 0.02) })]),
      ],
    });
    expect(verdict("ttft_p50 > +10%", slow, wholeRun())).toBe("breached");
    expect(verdict("ttft_p50 > +10%", wholeRun(), wholeRun())).toBe("held");
    expect(verdict("ttft_p50 > +10%", slow)).toBe("undecided");
    expect(verdict("capacity < -5%", wholeRun(), wholeRun())).toBe("held");
  });

  test.each([
    ["nonsense", "is not a condition"],
    ["ttft_p42 > 1s", 'there is no figure "ttft_p42"'],
    ["ttft_p95 > 300", "needs its unit"],
    ["throughput < 5ms", "is not a time"],
    ["ttft_p95 > +10", "in per cent"],
  ])("%s is refused in words", (text, sentence) => {
    expect(() => readThreshold(text)).toThrow(sentence);
  });
});
