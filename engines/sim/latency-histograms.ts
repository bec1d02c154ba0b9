/** Cumulative histogram in the Prometheus sense, over fixed bucket borders in seconds. */
export class Histogram {
  readonly borders: readonly number[];
  readonly #counts: number[];
  sum = 0;
  count = 0;

  constructor(borders: readonly number[]) {
    this.borders = borders;
    this.#counts = borders.map(() => 0);
  }

  observe(seconds: number): void {
    this.sum += seconds;
    this.count++;
    const index = this.borders.findIndex((border) => seconds <= border);
    if (index !== -1) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
  }

  /** Text exposition of the family, cumulative as the format wants it. */
  expose(name: string, labels: string): string {
    const comma = labels === "" ? "" : ",";
    let running = 0;
    const lines = this.borders.map((border, index) => {
      running += this.#counts[index] ?? 0;
      return `${name}_bucket{${labels}${comma}le="${border}"} ${running}`;
    });
    lines.push(`${name}_bucket{${labels}${comma}le="+Inf"} ${this.count}`);
    const braces = labels === "" ? "" : `{${labels}}`;
    lines.push(`${name}_sum${braces} ${this.sum}`, `${name}_count${braces} ${this.count}`);
    return `# TYPE ${name} histogram\n${lines.join("\n")}\n`;
  }
}

/** What every engine times of its requests, each with its own borders. */
export interface LatencyHistograms {
  readonly ttft: Histogram;
  readonly interToken: Histogram;
  readonly endToEnd: Histogram;
}

/** vLLM's borders, which TensorRT-LLM shares (vllm/v1/metrics/loggers.py). */
export function vllmBorders(): LatencyHistograms {
  return {
    ttft: new Histogram([
      0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
      80, 160, 640, 2560,
    ]),
    interToken: new Histogram([
      0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
    ]),
    endToEnd: new Histogram([
      0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
    ]),
  };
}

/** SGLang's borders (observability/metrics_collector.py): nothing below 100 ms for the first token. */
export function sglangBorders(): LatencyHistograms {
  const ttft = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400];
  return {
    ttft: new Histogram(ttft),
    interToken: new Histogram([
      0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2,
      0.4, 0.6, 0.8, 1, 2, 4, 6, 8,
    ]),
    endToEnd: new Histogram([...ttft, 600, 1200, 1800, 2400]),
  };
}

/** Lines of gauges and counters: name, type, value, labels. */
export function exposeAll(
  rows: readonly (readonly [string, "gauge" | "counter", number, string])[],
): string {
  return rows
    .map(
      ([name, type, value, labels]) =>
        `# TYPE ${name} ${type}\n${name}${labels === "" ? "" : `{${labels}}`} ${value}\n`,
    )
    .join("");
}
