import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { program, runProgram } from "../../../proxy/commands/program.ts";

const folder = mkdtempSync(join(tmpdir(), "pitot-flags-"));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const nowhere = join(folder, "nowhere", "file");
/** Port 9 discards: whoever sends a request there before having read all flags ends with another status. */
const URL = "http://127.0.0.1:9";
const trace = file(
  "trace.csv",
  "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.9799600,10,10\n",
);

/** A command line and the part of its sentence that says what is wrong. */
type Row = readonly [flag: string, value: string, sentence: string];

const ofSweep: readonly Row[] = [
  ["--preset", "huge", "Allowed choices are smoke, quick, standard, full"],
  ["--formats", "pdf", '--formats "pdf" is no report: choose from'],
  ["--fail-if", "ttft", "--fail-if"],
  ["--baseline", nowhere, "holds no run"],
  ["--shape", "tall", '"tall" is not a shape: write input x output tokens'],
  ["--shapes", "tall", '"tall" is no list of shapes: choose almanac-9'],
  ["--mix", "half 1x1", "half 1x1"],
  ["--dataset", nowhere, nowhere],
  ["--prefix-share", "2", '"2" is not'],
  ["--turns", "0", '"0" is not a whole number from 1 to 100'],
  ["--think", "2", '"2" is not a duration'],
  ["--objective", "fast", '"fast" is not an objective: write ttft_p95<=1s'],
  ["--arrivals", "late", "Allowed choices are poisson, constant, gamma"],
  ["--cv", "-1", '"-1" is not a number above 0'],
  ["--rate", "0", '"0" is not a number above 0'],
  ["--concurrency", "1.5", '"1.5" is not a whole number'],
  ["--prompts", "poems", "Allowed choices are auto, ids, random-ids, text"],
  ["--workers", "x", '"x" is not a whole number from 0 to 64'],
  ["--seed", "-1", '"-1" is not a whole number from 0'],
  ["--resume", nowhere, "holds no run"],
  ["--api-key", "a\nb", "--api-key"],
  ["--ca", nowhere, `--ca ${nowhere} cannot be read: check the path`],
];
const ofReplica: readonly Row[] = [
  ["--admin", "localhost", '"localhost" is no address: write it as http://127.0.0.1:8081'],
  ["--path", "around", "Allowed choices are direct, routed, both"],
  ["--traffic", "jam", "Allowed choices are drained, beside"],
  ["--share", "0", '"0" is not a share: write a number above 0, up to 1'],
  ["--tokens", "1e11", '"1e11" is not a whole number from 1'],
  ["--minutes", "soon", '"soon" is not a number above 0'],
  ["--guard-ttft", "300", '"300" is not a duration'],
  ["--guard-burn", "0", '"0" is not a number above 0'],
  ["--guard-in-flight", "-1", '"-1" is not a whole number from 0'],
];
const ofReplay: readonly Row[] = [
  ["--target", "ftp://x", '"ftp://x" is neither http nor https'],
  ["--format", "excel", "Allowed choices are pitot, azure"],
  ["--speed", "0", '"0" is not a number above 0'],
  ["--rate-scale", "much", '"much" is not a number above 0'],
  ["--from", "10", '"10" is not a duration'],
  ["--for", "-5m", '"-5m" is not a duration'],
  ["--limit", "0", '"0" is not a whole number from 1'],
  ["--seed", "1.5", '"1.5" is not a whole number from 0'],
  ["--api-key", "a\nb", "--api-key"],
  ["--ca", trace, `--ca ${trace} is no certificate: give it in PEM`],
];
const ofRecord: readonly Row[] = [
  ["--admin", "ws://x", '"ws://x" is no address'],
  ["--out", nowhere, `--out ${nowhere} cannot be written (ENOENT): name another file`],
  ["--for", "forever", '"forever" is not a duration'],
  ["--requests", "0", '"0" is not a whole number from 1'],
];
const ofDoctor: readonly Row[] = [
  ["--config", nowhere, nowhere],
  ["--idle-watch", "60", '"60"'],
  ["--api-key", "a\nb", "--api-key"],
  ["--ca", nowhere, `--ca ${nowhere} cannot be read`],
];

/** Flags that take any text: names of models and replicas, and folders that are made when there is something to keep. */
const ANY_TEXT = new Set(["--model", "--out", "--data", "--replica"]);

const commands: readonly (readonly [string, readonly string[], readonly Row[]])[] = [
  ["sweep", [URL], ofSweep],
  ["sweep", ["--replica", "vllm-0"], ofReplica],
  ["replay", [trace, "--target", URL], ofReplay],
  ["record", [], ofRecord],
  ["doctor", [URL], ofDoctor],
];

/** Runs it in this process; gives its status and what it said on stderr. */
async function ran(args: readonly string[]): Promise<{ status: number; said: string }> {
  let said = "";
  const status = await runProgram(["node", "pitot", ...args], (text) => {
    said += text;
  });
  return { status, said };
}

describe.each(commands)("pitot %s %j", (name, given, rows) => {
  test.each(rows)("%s %j ends with 2 and one sentence", async (flag, value, sentence) => {
    const { status, said } = await ran([name, ...given, flag, value]);
    expect(said).toContain(sentence);
    expect(status).toBe(2);
    expect(said.trim().split("\n").length).toBeLessThanOrEqual(2);
  });
});

test.each([
  [["compare", nowhere, nowhere], "holds no run"],
  [["compare", trace], "missing required argument 'after'"],
  [["compare", trace, trace], "is no document of a sweep"],
  [["replay", nowhere, "--target", URL], `${nowhere}: no such file`],
  [["replay", trace], "required option '--target <url>' not specified"],
  [["replay", trace, "--target", URL, "--from", "10m"], "holds no request in that window"],
  [["sweep", "example.com:99999"], "example.com:99999"],
  [["sweep"], "--replica"],
  [["doctor", "ftp://x"], '"ftp://x" is neither http nor https'],
  [["doctor"], "no URL was given"],
  [["record", "--forr", "1m"], "Did you mean --for?"],
  [["sweeep"], "Did you mean sweep?"],
])("pitot %j ends with 2 and says what to do", async (args, sentence) => {
  const { status, said } = await ran(args);
  expect(said).toContain(sentence);
  expect(status).toBe(2);
});

test("every flag of these commands that takes a value has a bad one above", () => {
  const built = program(() => {}).commands;
  for (const name of ["sweep", "replay", "record", "compare", "doctor"]) {
    const flags = built
      .find((command) => command.name() === name)!
      .options.filter(({ required, optional }) => required || optional)
      .map(({ long }) => long!);
    const tried = commands
      .filter(([command]) => command === name)
      .flatMap(([, , rows]) => rows.map(([flag]) => flag));
    expect(flags.filter((flag) => !tried.includes(flag) && !ANY_TEXT.has(flag))).toEqual([]);
  }
});

describe("the README's table of commands", () => {
  const readme = readFileSync(join(import.meta.dirname, "../../../README.md"), "utf8");
  const lines = readme.split("\n").filter((line) => line.startsWith("| `pitot "));
  const built = program(() => {}).commands;

  test("names every command of --help, and no other", () => {
    const named = new Set(lines.map((line) => /^\| `pitot ([a-z]+)/.exec(line)?.[1]));
    expect(named).toEqual(new Set(built.map((command) => command.name())));
  });

  test("shows only flags that its command has", () => {
    for (const line of lines) {
      const [, name] = /^\| `pitot ([a-z]+)/.exec(line)!;
      const flags = built.find((command) => command.name() === name)!.options;
      const known = flags.flatMap(({ long }) => long ?? []);
      for (const [flag] of line.matchAll(/(?<=[ (`])--[a-z-]+/g)) expect(known).toContain(flag);
    }
  });
});
