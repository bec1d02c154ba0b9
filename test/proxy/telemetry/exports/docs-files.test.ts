import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { docsFiles } from "../../../../proxy/telemetry/exports/docs-files.ts";
import { prometheusRules } from "../../../../proxy/telemetry/exports/prometheus-rules.ts";
import { type MetricRow, metricTable } from "../../../../proxy/telemetry/metric-table.ts";

const ROOT = join(import.meta.dirname, "../../../..");
const files = docsFiles();
const rows: Readonly<Record<string, MetricRow>> = metricTable;

/** Every metric an expression names, without the suffixes of a histogram. */
const namesIn = (text: string): string[] =>
  [...text.matchAll(/\bpitot_[a-z_]+/g)].map(([name]) => name.replace(/_(bucket|sum|count)$/, ""));

interface Rules {
  readonly groups: readonly {
    readonly rules: readonly {
      readonly expr: string;
      readonly record?: string;
      readonly alert?: string;
    }[];
  }[];
}

describe("what is written from the metric table", () => {
  test.each(Object.keys(files))(
    "%s is as the generator writes it (npm run docs:metrics)",
    (path) => {
      expect(readFileSync(join(ROOT, path), "utf8")).toBe(files[path]);
    },
  );

  test.each(Object.keys(files))("%s names no metric that is not exported", (path) => {
    const names = namesIn(files[path]!);
    expect(names.length).toBeGreaterThan(10);
    expect(names.filter((name) => !(name in rows))).toEqual([]);
  });

  test("the reference has every family", () => {
    for (const name of Object.keys(rows)) expect(files["docs/metrics.md"]).toContain(`\`${name}\``);
  });

  test("the board has panels that do not overlap, and only labels their metrics have", () => {
    const board = JSON.parse(files["docs/grafana/pitot.json"]!) as {
      panels: { gridPos: { x: number; y: number }; targets: { expr: string }[] }[];
    };
    const places = board.panels.map(({ gridPos: { x, y } }) => `${x},${y}`);
    expect(new Set(places).size).toBe(board.panels.length);
    for (const { expr } of board.panels.flatMap(({ targets }) => targets)) {
      const names = namesIn(expr);
      const allowed = new Set([...names.flatMap((name) => rows[name]!.labels), "le"]);
      const used = [
        ...expr.matchAll(/(\w+)(?:=~|!=|=)"/g),
        ...expr.matchAll(/\bby \(([^)]*)\)/g),
      ].flatMap(([, labels = ""]) => labels.split(", "));
      expect([expr, used.filter((label) => !allowed.has(label))]).toEqual([expr, []]);
    }
  });

  test("the rules are YAML with unique records, and a promise's alerts carry its factors", () => {
    const { groups } = parse(files["docs/prometheus/rules.yaml"]!) as Rules;
    const all = groups.flatMap(({ rules }) => rules);
    const records = all.flatMap(({ record }) => (record === undefined ? [] : [record]));
    expect(new Set(records).size).toBe(records.length);
    const burns = all
      .filter(({ alert }) => alert === "PitotErrorBudgetBurn")
      .map(({ expr }) => expr);
    expect(burns).toHaveLength(4);
    // 95 % reaches 20 × at most: the hourly factor of 13.44 is capped at half of it.
    expect(burns[0]).toContain("[1h]");
    expect(burns[0]).toContain("> 10 and");
    expect(burns[1]).toContain("> 5.6 and");
  });

  test("no promise means no burn rule, and a wild name stays in its quotes", () => {
    expect(prometheusRules([])).not.toContain("PitotErrorBudgetBurn");
    const wild = { name: 'a"} or {slo="b', objective: 0.9, windowMs: 86_400_000 };
    const { groups } = parse(prometheusRules([wild])) as Rules;
    expect(groups.at(-1)!.rules[0]!.expr).toContain(String.raw`{slo="a\"} or {slo=\"b"}`);
  });

  test.runIf(spawnSync("promtool", ["--version"]).error === undefined)(
    "promtool takes the rules",
    () => {
      const folder = mkdtempSync(join(tmpdir(), "pitot-rules-"));
      const file = join(folder, "rules.yaml");
      writeFileSync(file, files["docs/prometheus/rules.yaml"]!);
      const checked = spawnSync("promtool", ["check", "rules", file]);
      rmSync(folder, { recursive: true });
      expect([checked.status, checked.stderr.toString()]).toEqual([0, ""]);
    },
  );
});
