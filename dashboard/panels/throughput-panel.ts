import { css, html, LitElement, type PropertyValues, type TemplateResult } from "lit";
import type { SeriesAnswer } from "../../proxy/telemetry/series.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { PollController } from "../controllers/poll-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { figuresTable } from "../elements/figures-table.ts";
import "../elements/panel-tools.ts";
import "../elements/time-chart.ts";
import type { ChartSeries } from "../elements/time-chart.ts";
import { moment, significant } from "../format.ts";
import { type ChartWindow, chartWindow, columnsIn } from "../state/chart-window.ts";
import { type Figures, isoOf } from "../state/figures.ts";
import { historyPaceMs, historyPath } from "../state/history.ts";
import type { Span } from "../state/place.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

const LINES = ["real", "synthetic"] as const;
const SERIES: readonly ChartSeries[] = [
  { label: "real", color: "--real", area: true },
  { label: "synthetic", color: "--synthetic", area: true, dashed: true },
];
/** What may be counted; the address names it, output unless said. */
const TOKENS = {
  output: { metric: "output-tokens", of: "outputTokens" },
  input: { metric: "input-tokens", of: "inputTokens" },
} as const;
const TABLE_ROWS = 15;

/** Moments, in seconds, and one value per line; `null` where nothing is known. */
interface Points {
  readonly times: readonly number[];
  readonly values: readonly (readonly (number | null)[])[];
  readonly span: Span;
}

/** Tokens per second, users and sweeps apart: a running sweep is never mistaken for users. */
export class ThroughputPanel extends LitElement {
  static override properties = { asTable: { state: true } };
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      .legend {
        display: inline-flex;
        gap: 14px;
        font-size: 12px;
        color: var(--soft);
        flex-wrap: wrap;
      }
      @media (max-width: 600px) {
        header {
          flex-wrap: wrap;
        }
        .legend {
          order: 3;
          width: 100%;
        }
      }
      .legend i {
        display: inline-block;
        width: 12px;
        height: 3px;
        border-radius: 2px;
        margin-right: 6px;
        vertical-align: middle;
      }
    `,
  ];
  declare asTable: boolean;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);
  readonly #histories = LINES.map(
    () =>
      new PollController<SeriesAnswer>(
        this,
        (answer) => historyPaceMs(answer, chartWindow(this.#at.place, this.#live.store)),
        () => this.#live.store.pausedAtMs !== null,
      ),
  );

  constructor() {
    super();
    this.asTable = false;
  }

  protected override willUpdate(_changed: PropertyValues): void {
    const window = chartWindow(this.#at.place, this.#live.store);
    const { metric } = TOKENS[this.#tokens()];
    LINES.forEach((origin, at) => {
      const query = { metric, origin, window, replica: null, bins: false };
      this.#histories[at]?.ask(window.source === "history" ? historyPath(query) : null);
    });
  }

  protected override render(): TemplateResult {
    const { place } = this.#at;
    const window = chartWindow(place, this.#live.store);
    const points = this.#points(window);
    const tokens = this.#tokens();
    const latest = points.values.map((line) => line.findLast((value) => value !== null) ?? null);
    const title = tokens === "output" ? "Output throughput" : "Input throughput";
    return html`<header>
        <h2>${title}</h2>
        <span class="legend"
          >${SERIES.map((one, index) => html`<span><i style="background: var(${one.color})"></i>${one.label} ${significant(latest[index] ?? null)}</span>`)}
          tok/s, ${window.words}</span
        >
        <span class="spring"></span>
        <button
          aria-pressed=${tokens === "input"}
          title="Prompt tokens, cached ones included, instead of generated ones"
          @click=${() => place.set("tokens", tokens === "input" ? null : "input")}
        >
          input
        </button>
        <panel-tools
          .figures=${() => figuresOf(title, points)}
          .table=${this.asTable}
          @table=${() => (this.asTable = !this.asTable)}
        ></panel-tools>
      </header>
      ${this.#trouble(window)}
      ${
        this.asTable
          ? figuresTable(thinned(title, points))
          : html`<time-chart
              role="img"
              aria-label="${title} over ${window.words}: ${LINES.map((name, at) => `${name} ${significant(latest[at] ?? null)}`).join(", ")} tok/s"
              .series=${SERIES}
              .data=${[points.times, ...points.values]}
              .span=${points.span}
              .unit=${"tok/s"}
              .dimmed=${!this.#live.store.isLive}
              @zoom=${(event: CustomEvent<Span>) => place.zoomTo(event.detail)}
            ></time-chart>`
      }`;
  }

  #tokens(): keyof typeof TOKENS {
    return this.#at.place.query.get("tokens") === "input" ? "input" : "output";
  }

  #trouble({ source }: ChartWindow): TemplateResult | string {
    const open = this.#histories.find(({ answer }) => answer.kind !== "ready")?.answer;
    if (source === "frames" || open === undefined || open.kind === "ready") return "";
    return html`<p class="hint" role="status">
      ${open.kind === "loading" ? "Loading history…" : open.message}
    </p>`;
  }

  #points(window: ChartWindow): Points {
    return window.source === "frames" ? this.#fromFrames(window) : this.#fromHistory(window);
  }

  #fromFrames(window: ChartWindow): Points {
    const columns = columnsIn(window, this.#live.store);
    const { of } = TOKENS[this.#tokens()];
    return {
      span: window,
      times: columns.map(({ atMs }) => (atMs + window.stepMs / 2) / 1_000),
      values: LINES.map((origin) =>
        columns.map(({ ticks }) =>
          ticks.length === 0
            ? null
            : ticks.reduce((sum, tick) => sum + tick[origin][of], 0) / ticks.length,
        ),
      ),
    };
  }

  #fromHistory(window: ChartWindow): Points {
    const answers = this.#histories.flatMap(({ answer }) =>
      answer.kind === "ready" ? [answer.value] : [],
    );
    const [first] = answers;
    if (first === undefined || answers.length < LINES.length)
      return { span: window, times: [], values: LINES.map(() => []) };
    const points = answers.map(({ lines }) => lines[0]?.points ?? []);
    return {
      span: first,
      times: (points[0] ?? []).map(({ startMs }) => (startMs + first.stepMs / 2) / 1_000),
      values: points.map((line) => line.map(({ value }) => value)),
    };
  }
}

function figuresOf(name: string, { times, values }: Points): Figures {
  return {
    name,
    columns: ["at", ...LINES.map((line) => `${line} tok/s`)],
    rows: times.map((time, at) => [isoOf(time * 1_000), ...values.map((line) => line[at] ?? null)]),
  };
}

/** The newest first, and few enough to read. */
function thinned(name: string, points: Points): Figures {
  const figures = figuresOf(name, points);
  const every = Math.max(1, Math.ceil(figures.rows.length / TABLE_ROWS));
  const rows = figures.rows
    .filter((_, at) => (figures.rows.length - 1 - at) % every === 0)
    .map(([at, ...values]) => [moment(Date.parse(String(at))), ...values] as const);
  return { ...figures, rows: rows.toReversed() };
}

customElements.define("throughput-panel", ThroughputPanel);
