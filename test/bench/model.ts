import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { SetupError } from "../../engines/sim/engine-setup.ts";
import { type Simulated, runFigure } from "./figure-run.ts";
import { type Excluded, type Figure, FiguresError, readFigures } from "./figures.ts";

/** Published H100 figures that come with the product. */
const FIGURES = new URL("../../engines/catalog/data/h100-figures.csv", import.meta.url);

/** A published row, what the simulator says to it, and how far off that is as a ratio of the published. */
interface Compared {
  readonly figure: Figure;
  readonly simulated: Simulated;
  readonly tpotError: number;
  readonly ttftError: number | null;
}

/** `npm run bench -- model [--figures FILE] [--json]`: the simulated engines against published figures. */
export async function modelBench(flags: readonly string[]): Promise<void> {
  try {
    const { values } = parseArgs({
      args: [...flags],
      options: { figures: { type: "string" }, json: { type: "boolean" } },
    });
    const { rows, figures, excluded } = await readFigures(fileOf(values.figures));
    const compared = compareAll(figures, excluded);
    const summary = summarise(rows, compared, excluded);
    if (values.json === true) console.log(JSON.stringify(summary));
    else print(summary, compared);
  } catch (error) {
    const isUsers = error instanceof FiguresError || error instanceof TypeError;
    if (!isUsers) throw error;
    console.error(error.message);
    process.exitCode = 2;
  }
}

/** A path as the user wrote it: npm runs the bench in the package's folder, not in theirs. */
function fileOf(path: string | undefined): string | URL {
  return path === undefined ? FIGURES : resolve(process.env["INIT_CWD"] ?? "", path);
}

/** Runs every figure; what the engine itself refuses joins the excluded. */
function compareAll(figures: readonly Figure[], excluded: Excluded[]): Compared[] {
  const compared: Compared[] = [];
  for (const figure of figures) {
    try {
      const simulated = runFigure(figure);
      compared.push({
        figure,
        simulated,
        tpotError: simulated.tpotMs / figure.tpotMs - 1,
        ttftError: figure.ttftMs === null ? null : simulated.ttftMs / figure.ttftMs - 1,
      });
    } catch (error) {
      if (!(error instanceof SetupError)) throw error;
      excluded.push({ line: figure.line, reason: error.message });
    }
  }
  return compared;
}

function summarise(
  rows: number,
  compared: readonly Compared[],
  excluded: readonly Excluded[],
): {
  readonly rows: number;
  readonly usedRows: number;
  readonly excluded: readonly Excluded[];
  readonly tpotErrorMedian: number | null;
  readonly tpotErrorP90: number | null;
  readonly ttftErrorMedian: number | null;
} {
  const tpot = compared.map(({ tpotError }) => tpotError);
  const ttft = compared.flatMap(({ ttftError }) => (ttftError === null ? [] : [ttftError]));
  return {
    rows,
    usedRows: compared.length,
    excluded: excluded.toSorted((a, b) => a.line - b.line),
    tpotErrorMedian: quantile(tpot, 0.5),
    tpotErrorP90: quantile(tpot, 0.9),
    ttftErrorMedian: quantile(ttft, 0.5),
  };
}

type Summary = ReturnType<typeof summarise>;

function print(summary: Summary, compared: readonly Compared[]): void {
  const line = (cells: readonly string[]): void => {
    console.log(cells.map((cell, at) => (at === 0 ? cell.padEnd(62) : cell.padStart(9))).join(""));
  };
  line(["engine, model, cards, weights", "rows", "TPOT med", "p90", "bias", "TTFT med", "bias"]);
  const byGroup = Map.groupBy(compared, ({ figure }) => groupOf(figure));
  const byEngine = Map.groupBy(compared, ({ figure }) => `${figure.persona}, all`);
  const sorted = [byGroup, byEngine].flatMap((groups) =>
    [...groups].toSorted(([one], [other]) => one.localeCompare(other)),
  );
  for (const [name, members] of [...sorted, ["all", compared] as const]) {
    const tpot = members.map(({ tpotError }) => tpotError);
    const ttft = members.flatMap(({ ttftError }) => (ttftError === null ? [] : [ttftError]));
    line([
      name,
      String(members.length),
      percent(quantile(tpot, 0.5)),
      percent(quantile(tpot, 0.9)),
      percent(middle(tpot)),
      percent(quantile(ttft, 0.5)),
      percent(middle(ttft)),
    ]);
  }
  console.log(`\nerror = |simulated - published| / published; bias = the median with its sign`);
  console.log(`\n${summary.usedRows} of ${summary.rows} rows used; not used:`);
  for (const [reason, rows] of Map.groupBy(summary.excluded, (one) => one.reason))
    console.log(`${String(rows.length).padStart(5)}  ${reason}`);
}

function groupOf({ persona, version, model, tp, weights }: Figure): string {
  return `${persona} ${version.slice(0, 12)} ${model.id.replace(/^.*\//, "")} ×${tp} ${weights}`;
}

/** Quantile of absolute values; `null` of none. */
function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.map(Math.abs).toSorted((a, b) => a - b);
  return at(sorted, share);
}

function middle(values: readonly number[]): number | null {
  return at(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Linear between the two nearest ranks. */
function at(sorted: readonly number[], share: number): number | null {
  const rank = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(rank)], sorted[Math.ceil(rank)]];
  if (low === undefined || high === undefined) return null;
  return low + (high - low) * (rank - Math.floor(rank));
}

function percent(ratio: number | null): string {
  return ratio === null ? "—" : `${(ratio * 100).toFixed(1)} %`;
}
