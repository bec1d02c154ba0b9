import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * `npm run cases`: which of the reliability cases in `catalogue.txt` are proven by a test, which are refused by design,
 * and which are neither. A test claims a case by beginning its name with the id ("H01 …", or "H02, H03 …" for several);
 * a folder's README refuses one in a table row that begins with it ("| H24 | why |").
 */

/** Families in which every case must be tested or refused; the rest are listed for their owners. */
const REQUIRED = new Set(["H", "F", "R", "I", "L"]);

const ROOT = join(import.meta.dirname, "..", "..");
const CLAIM = /["'`]((?:[HFRILSK]\d\d(?:, | |: ))+)/g;
const REFUSAL = /^\| ((?:[HFRILSK]\d\d(?:, )?)+) \|/gm;

export interface CaseCoverage {
  readonly id: string;
  readonly title: string;
  /** Test files that claim it. */
  readonly testedIn: readonly string[];
  /** READMEs that refuse it. */
  readonly refusedIn: readonly string[];
}

/** Every case of the catalogue with where it is proven or refused, and ids claimed that the catalogue lacks. */
export function coverCases(): {
  readonly cases: readonly CaseCoverage[];
  readonly unknown: readonly string[];
} {
  const tested = claims(/^test\/.*\.test\.ts$/, CLAIM);
  const refused = claims(/README\.md$/, REFUSAL);
  const catalogue = readFileSync(join(import.meta.dirname, "catalogue.txt"), "utf8");
  const cases = catalogue
    .trimEnd()
    .split("\n")
    .map((line) => {
      const id = line.slice(0, 3);
      const testedIn = [...(tested.get(id) ?? [])];
      return { id, title: line.slice(4), testedIn, refusedIn: [...(refused.get(id) ?? [])] };
    });
  const known = new Set(cases.map(({ id }) => id));
  const unknown = [...tested.keys(), ...refused.keys()].filter((id) => !known.has(id));
  return { cases, unknown };
}

/** Required cases that nobody proves or refuses. */
export function openCases(cases: readonly CaseCoverage[]): readonly CaseCoverage[] {
  return cases.filter(
    ({ id, testedIn, refusedIn }) =>
      REQUIRED.has(id.charAt(0)) && testedIn.length + refusedIn.length === 0,
  );
}

/** Ids found in files of a kind, each with the files it was found in. */
function claims(kind: RegExp, pattern: RegExp): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  const list = ["ls-files", "--cached", "--others", "--exclude-standard"];
  const files = execFileSync("git", list, { cwd: ROOT, encoding: "utf8" }).split("\n");
  for (const file of files.filter((one) => kind.test(one) && existsSync(join(ROOT, one)))) {
    const text = readFileSync(join(ROOT, file), "utf8");
    for (const [, ids] of text.matchAll(pattern)) {
      for (const id of (ids ?? "").match(/[HFRILSK]\d\d/g) ?? []) {
        found.set(id, (found.get(id) ?? new Set()).add(file));
      }
    }
  }
  return found;
}

function print(): void {
  const { cases, unknown } = coverCases();
  for (const { id, title, testedIn, refusedIn } of cases) {
    const state = testedIn.length > 0 ? "tested" : refusedIn.length > 0 ? "refused" : "—";
    const where = [...testedIn, ...refusedIn].join(" ");
    process.stdout.write(`${id}  ${state.padEnd(8)}${title.padEnd(68)}${where}\n`);
  }
  for (const family of new Set(cases.map(({ id }) => id.charAt(0)))) {
    const own = cases.filter(({ id }) => id.startsWith(family));
    const tested = own.filter(({ testedIn }) => testedIn.length > 0).length;
    const refused = own.filter((one) => one.testedIn.length === 0 && one.refusedIn.length > 0);
    const left = own.length - tested - refused.length;
    process.stdout.write(
      `${family}: ${own.length} cases, ${tested} tested, ${refused.length} refused by design, ${left} neither\n`,
    );
  }
  const open = openCases(cases);
  if (open.length + unknown.length === 0) return;
  if (open.length > 0)
    process.stderr.write(`Neither tested nor refused: ${open.map(({ id }) => id).join(" ")}\n`);
  if (unknown.length > 0)
    process.stderr.write(`Claimed but not in the catalogue: ${unknown.join(" ")}\n`);
  process.exitCode = 1;
}

if (import.meta.main) print();
