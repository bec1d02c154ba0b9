import type { Tick } from "../../proxy/live/frames.ts";
import type { ChartSeries } from "../elements/time-chart.ts";
import { LinePanel } from "./line-panel.ts";

/** Output tokens per second, users and sweeps apart: a running sweep is never mistaken for users. */
export class ThroughputPanel extends LinePanel {
  protected override readonly heading = "Output throughput";
  protected override readonly unit = "tok/s";
  protected override readonly series: readonly ChartSeries[] = [
    { label: "real", color: "--real", area: true },
    { label: "synthetic", color: "--synthetic", area: true, dashed: true },
  ];

  protected override values(ticks: readonly Tick[]): readonly (number | null)[] {
    const seconds = Math.max(1, ticks.length);
    const total = (of: "real" | "synthetic"): number =>
      ticks.reduce((sum, tick) => sum + tick[of].outputTokens, 0) / seconds;
    return [total("real"), total("synthetic")];
  }
}

customElements.define("throughput-panel", ThroughputPanel);
