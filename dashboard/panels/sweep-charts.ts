import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { SweepView } from "../../proxy/synthetic/sweep-view.ts";
import "../elements/xy-chart.ts";
import {
  boundsOf,
  latencySeries,
  paretoSeries,
  type ShapePoints,
  shapesOf,
  throughputSeries,
} from "../state/sweep-curve.ts";
import { cardStyles, panelStyles } from "../styles/panel.ts";

const RATE = { label: "requests a second, one replica", scale: "linear" } as const;

/** The curves of each shape: latency over rate, output over requests at once, one user against all. */
export class SweepCharts extends LitElement {
  static override properties = { view: { attribute: false } };
  static override styles = [
    panelStyles,
    cardStyles,
    css`
      :host {
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 480px), 1fr));
      }
    `,
  ];
  declare view: SweepView | null;

  constructor() {
    super();
    this.view = null;
  }

  protected override render(): TemplateResult | typeof nothing {
    const { view } = this;
    if (view === null) return nothing;
    return html`${shapesOf(view).map((shape) => this.#shape(view, shape))}`;
  }

  #shape(view: SweepView, points: ShapePoints): TemplateResult {
    const { shape, open, closed } = points;
    const objectives = view.plan?.objectives ?? [];
    return html`${
        open.length === 0
          ? nothing
          : html`${(["ttft", "tpot"] as const).map(
              (metric) =>
                html`<article>
                  ${heading(metric === "ttft" ? "Time to first token" : "Time per output token", shape)}
                  <xy-chart
                    label="${metric.toUpperCase()} over the rate at ${shape}: ${open.length} rates, all in the table of points"
                    .series=${latencySeries(open, metric)}
                    .bounds=${boundsOf(objectives, metric)}
                    .xAxis=${RATE}
                    .yAxis=${{ label: "ms", scale: "log" }}
                  ></xy-chart>
                </article>`,
            )}`
      }
      ${
        closed.length === 0
          ? nothing
          : html`<article>
              ${heading("Throughput against concurrency", shape)}
              <xy-chart
                label="Output tokens a second over requests at once at ${shape}: ${closed.length} levels, all in the table of points"
                .series=${throughputSeries(closed)}
                .xAxis=${{ label: "requests at once", scale: "log" }}
                .yAxis=${{ label: "output tok/s", scale: "linear" }}
              ></xy-chart>
            </article>`
      }
      <article>
        ${heading("Throughput against speed of one user", shape)}
        <xy-chart
          label="Output of the card over the speed of one user at ${shape}: all in the table of points"
          .series=${paretoSeries(points)}
          .xAxis=${{ label: "tok/s, one user (1 / median TPOT)", scale: "linear" }}
          .yAxis=${{ label: "output tok/s", scale: "linear" }}
        ></xy-chart>
      </article>`;
  }
}

function heading(title: string, shape: string): TemplateResult {
  return html`<header>
    <h2>${title}</h2>
    <span class="hint">synthetic, ${shape} · hollow: saturated</span>
  </header>`;
}

customElements.define("sweep-charts", SweepCharts);
