/** One sample of a Prometheus or OpenMetrics text page. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A page longer than this is not read to its end: no engine known writes a tenth of it. */
export const EXPOSITION_BYTES_MAX = 4_194_304;

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** Reads the samples of an exposition page. Lines that are not samples are skipped: the page is another program's. */
export function readExposition(page: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const line of page.slice(0, EXPOSITION_BYTES_MAX).split("\n")) {
    if (line.startsWith("#")) continue;
    const [, name, labelText, valueText] = LINE.exec(line) ?? [];
    const value = numberOf(valueText);
    if (name === undefined || value === null) continue;
    samples.push({ name, labels: labelsOf(labelText), value });
  }
  return samples;
}

/** Values of a metric under its first name that is present, or `null`: engines rename metrics between versions. */
export function valuesOf(samples: readonly Sample[], ...names: readonly string[]): number[] | null {
  for (const name of names) {
    const found = samples.filter((sample) => sample.name === name).map((sample) => sample.value);
    if (found.length > 0) return found;
  }
  return null;
}

/** Sum over all label sets: for counters, and gauges that add up over data-parallel ranks. */
export function sumOf(samples: readonly Sample[], ...names: readonly string[]): number | null {
  return valuesOf(samples, ...names)?.reduce((sum, value) => sum + value, 0) ?? null;
}

/** Largest over all label sets: for ratios, which must never be added. */
export function maxOf(samples: readonly Sample[], ...names: readonly string[]): number | null {
  const values = valuesOf(samples, ...names);
  return values === null ? null : Math.max(...values);
}

function labelsOf(text: string | undefined): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name, value] of (text ?? "").matchAll(LABEL)) {
    if (name !== undefined)
      labels[name] = (value ?? "").replaceAll(/\\(.)/g, (_, char: string) =>
        char === "n" ? "\n" : char,
      );
  }
  return labels;
}

function numberOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  if (/^[+-]?Inf$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  const value = Number(text);
  return Number.isNaN(value) ? null : value;
}

/** A label of the first sample of a metric that has it: info gauges say their facts in labels. */
export function labelOf(samples: readonly Sample[], name: string, label: string): string | null {
  const sample = samples.find((one) => one.name === name && one.labels[label] !== undefined);
  return sample?.labels[label] ?? null;
}
