import type { Tick } from "../../proxy/live/frames.ts";
import type { ChartSeries } from "../elements/time-chart.ts";
import { merged } from "../state/bins.ts";
import type { LiveStore } from "../state/live-store.ts";
import { LinePanel } from "./line-panel.ts";

/** Time per output token: how fast answers flow once they have begun. */
export class TpotPanel extends LinePanel {
  protected override readonly heading = "Time per output token";
  protected override readonly unit = "ms";
  protected override readonly series: readonly ChartSeries[] = [
    { label: "p50", color: "--p50" },
    { label: "p95", color: "--p95" },
    { label: "p99", color: "--p99" },
  ];

  protected override values(ticks: readonly Tick[], store: LiveStore): readonly (number | null)[] {
    const distribution = merged(
      ticks.map((tick) => tick.real),
      "tpot",
      store.gamma,
    );
    return [0.5, 0.95, 0.99].map((q) => distribution.quantile(q));
  }
}

customElements.define("tpot-panel", TpotPanel);
