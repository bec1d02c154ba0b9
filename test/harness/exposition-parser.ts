/** A family of an exposition page as a strict reader sees it. */
export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: ParsedSample[];
}

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly exemplar?: {
    readonly labels: Readonly<Record<string, string>>;
    readonly value: number;
    readonly timestamp: number;
  };
}

const NAME = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const LABELS = String.raw`\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\}`;
const NUMBER = String.raw`[+-]?(?:Inf|NaN|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)`;
const SAMPLE = new RegExp(
  `^(${NAME})(?:${LABELS})? (${NUMBER})(?: # ${LABELS} (${NUMBER}) (${NUMBER}))?$`,
);

/**
 * Reads a page and throws at anything the formats forbid: Prometheus text 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats)
 * and OpenMetrics 1.0.0: a family once and in one piece, metadata before samples, suffixes by type, no duplicate label set,
 * buckets cumulative, ascending and ending in +Inf with the count, `# EOF` last.
 */
export function parseExposition(
  page: string,
  form: "prometheus" | "openmetrics",
): ReadonlyMap<string, Family> {
  const lines = page.split("\n");
  if (lines.pop() !== "") throw new Error("the page does not end with a line feed");
  if (form === "openmetrics" && lines.pop() !== "# EOF") throw new Error("no # EOF at the end");
  const reader = new Reader(form);
  for (const line of lines) reader.line(line);
  for (const [name, family] of reader.families)
    if (family.type === "histogram") checkBuckets(name, family);
  return reader.families;
}

class Reader {
  readonly families = new Map<string, { type: string; help: string; samples: ParsedSample[] }>();
  readonly #form: "prometheus" | "openmetrics";
  readonly #seen = new Set<string>();
  #current = "";

  constructor(form: "prometheus" | "openmetrics") {
    this.#form = form;
  }

  line(line: string): void {
    if (line === "" && this.#form === "prometheus") return;
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") this.#help(name, rest);
    else if (kind === "TYPE") this.#type(name, rest);
    else this.#sample(line);
  }

  #help(name: string, text: string): void {
    if (this.families.has(name)) throw new Error(`${name} comes twice`);
    this.families.set(name, { type: "", help: unescape(text), samples: [] });
    this.#current = name;
  }

  #type(name: string, type: string): void {
    const family = this.families.get(this.#current);
    if (family === undefined || name !== this.#current || family.samples.length > 0)
      throw new Error(`TYPE of ${name} out of place`);
    family.type = type;
  }

  #sample(line: string): void {
    const family = this.families.get(this.#current);
    const sample = parseSample(line);
    if (family === undefined || !belongs(sample.name, this.#current, family.type, this.#form))
      throw new Error(`${line}: not of the family ${this.#current}`);
    const key = JSON.stringify([sample.name, Object.entries(sample.labels).map(String).toSorted()]);
    if (this.#seen.has(key)) throw new Error(`${line}: comes twice`);
    this.#seen.add(key);
    family.samples.push(sample);
  }
}

function parseSample(line: string): ParsedSample {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`not a sample: ${line}`);
  const [, name = "", labels = "", value, exemplarLabels, exemplarValue, timestamp] = match;
  const sample = { name, labels: labelsOf(labels), value: numberOf(value) };
  if (exemplarLabels === undefined) return sample;
  const exemplar = {
    labels: labelsOf(exemplarLabels),
    value: numberOf(exemplarValue),
    timestamp: numberOf(timestamp),
  };
  return { ...sample, exemplar };
}

function belongs(name: string, family: string, type: string, form: string): boolean {
  if (type === "histogram")
    return ["_bucket", "_sum", "_count"].some((end) => name === family + end);
  if (type === "counter" && form === "openmetrics") return name === `${family}_total`;
  return name === family;
}

function checkBuckets(name: string, { samples }: Family): void {
  const groups = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const { le: _, ...rest } = sample.labels;
    const key = JSON.stringify(rest);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const [key, group] of groups) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const count = group.find((sample) => sample.name === `${name}_count`);
    const sum = group.find((sample) => sample.name === `${name}_sum`);
    const borders = buckets.map((bucket) => numberOf(bucket.labels["le"]));
    if (borders.at(-1) !== Infinity) throw new Error(`${name}${key}: no +Inf bucket`);
    for (let index = 1; index < buckets.length; index++) {
      if (!(borders[index]! > borders[index - 1]!)) throw new Error(`${name}${key}: borders fall`);
      if (buckets[index]!.value < buckets[index - 1]!.value)
        throw new Error(`${name}${key}: buckets are not cumulative`);
    }
    if (count?.value !== buckets.at(-1)!.value || sum === undefined)
      throw new Error(`${name}${key}: count or sum is wrong`);
  }
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [, name = "", value = ""] of text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    if (name in labels) throw new Error(`label ${name} comes twice`);
    labels[name] = unescape(value);
  }
  return labels;
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char));
}

function numberOf(text: string | undefined): number {
  if (text?.endsWith("Inf") === true) return text.startsWith("-") ? -Infinity : Infinity;
  return Number(text);
}
