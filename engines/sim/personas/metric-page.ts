import type { Histogram } from "../histogram.ts";
import type { Page } from "./persona.ts";

type LabelValue = string | number;
export type Labels = Readonly<Record<string, LabelValue>>;

/** A Prometheus text page, written family by family with the labels all its series share. */
export class MetricPage {
  readonly #prefix: string;
  readonly #labels: Labels;
  #text = "";

  constructor(prefix: string, labels: Labels) {
    this.#prefix = prefix;
    this.#labels = labels;
  }

  gauge(name: string, help: string, value: number, labels: Labels = {}): this {
    return this.family(name, help, "gauge", [[labels, value]]);
  }

  counter(name: string, help: string, value: number, labels: Labels = {}): this {
    return this.family(name, help, "counter", [[labels, value]]);
  }

  /** One family of several series. */
  family(
    name: string,
    help: string,
    type: "gauge" | "counter",
    series: readonly (readonly [Labels, number])[],
  ): this {
    this.#head(name, help, type);
    for (const [labels, value] of series)
      this.#text += `${this.#prefix}${name}${braces({ ...this.#labels, ...labels })} ${value}\n`;
    return this;
  }

  histogram(name: string, help: string, histogram: Histogram, labels: Labels = {}): this {
    this.#head(name, help, "histogram");
    const all = { ...this.#labels, ...labels };
    const full = `${this.#prefix}${name}`;
    const counts = histogram.cumulative();
    for (const [index, border] of histogram.borders.entries())
      this.#text += `${full}_bucket${braces({ ...all, le: floatText(border) })} ${counts[index] ?? 0}\n`;
    this.#text += `${full}_bucket${braces({ ...all, le: "+Inf" })} ${histogram.count}\n`;
    this.#text += `${full}_sum${braces(all)} ${histogram.sum}\n`;
    this.#text += `${full}_count${braces(all)} ${histogram.count}\n`;
    return this;
  }

  page(type = "text/plain; version=0.0.4; charset=utf-8"): Page {
    return { status: 200, type, body: this.#text };
  }

  #head(name: string, help: string, type: string): void {
    const full = `${this.#prefix}${name}`;
    this.#text += `# HELP ${full} ${help}\n# TYPE ${full} ${type}\n`;
  }
}

/** Python's prometheus_client writes borders as floats: `1.0`, not `1`. */
function floatText(border: number): string {
  return Number.isInteger(border) ? `${border}.0` : String(border);
}

function braces(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${String(value)
        .replaceAll(/[\\"]/g, String.raw`\$&`)
        .replaceAll("\n", String.raw`\n`)}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
