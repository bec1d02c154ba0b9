import { css, html, LitElement, type PropertyValues, type TemplateResult } from "lit";
import type { Tick } from "../../proxy/live/frames.ts";
import type { PointFigures, SeriesAnswer } from "../../proxy/telemetry/series.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { PollController } from "../controllers/poll-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import "../elements/heat-map.ts";
import "../elements/panel-tools.ts";
import type { HeatColumn } from "../elements/heat-map.ts";
import { duration, grouped, moment, NOTHING, SAMPLES_FEW } from "../format.ts";
import { Distribution } from "../state/bins.ts";
import { type ChartWindow, chartWindow, columnsIn } from "../state/chart-window.ts";
import { type Figures, isoOf } from "../state/figures.ts";
import { historyPaceMs, historyPath } from "../state/history.ts";
import type { Span } from "../state/place.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

/** Fewer samples than this carry no 99th percentile. */
const P99_SAMPLES_MIN = 200;
const TABLE_ROWS = 15;
/** Guide lines: the promises the field talks about, in ms. */
const GUIDES = { ttft: [300, 1_000], tpot: [25, 50] } as const;
const AXIS = {
  ttft: { minMs: 10, maxMs: 60_000, ticks: [10, 100, 1_000, 10_000, 60_000] },
  tpot: { minMs: 1, maxMs: 1_000, ticks: [1, 10, 100, 1_000] },
} as const;

interface Column extends HeatColumn {
  readonly distribution: Distribution;
}

/** A latency as a heat map: one slow population or two, since when, and which promise breaks. */
export class LatencyPanel extends LitElement {
  static override properties = {
    metric: {},
    heading: {},
    replica: { attribute: false },
    asTable: { state: true },
  };
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      header {
        flex-wrap: wrap;
        row-gap: 2px;
      }
      header .hint {
        order: 1;
        width: 100%;
      }
    `,
  ];
  declare metric: "ttft" | "tpot";
  declare heading: string;
  /** One replica instead of the fleet. */
  declare replica: string | null;
  declare asTable: boolean;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);
  readonly #history = new PollController<SeriesAnswer>(
    this,
    (answer) => historyPaceMs(answer, chartWindow(this.#at.place, this.#live.store)),
    () => this.#live.store.pausedAtMs !== null,
  );

  #kept: ReadonlyMap<string, Column> = new Map();

  constructor() {
    super();
    this.metric = "ttft";
    this.heading = "";
    this.replica = null;
    this.asTable = false;
  }

  protected override willUpdate(_changed: PropertyValues): void {
    const window = chartWindow(this.#at.place, this.#live.store);
    const { metric, replica } = this;
    const query = { metric, origin: "real", window, replica, bins: true } as const;
    this.#history.ask(window.source === "history" ? historyPath(query) : null);
  }

  protected override render(): TemplateResult {
    const window = chartWindow(this.#at.place, this.#live.store);
    const columns = this.#columns(window);
    const all = new Distribution(this.#live.store.gamma);
    for (const { distribution } of columns) all.add(distribution);
    const summary = summaryOf(all, window.words);
    return html`<header>
        <h2>${this.heading}</h2>
        <span class="hint" title=${summary}>${summary}</span>
        <span class="spring"></span>
        <panel-tools
          .figures=${() => figuresOf(this.heading, columns)}
          .table=${this.asTable}
          @table=${() => (this.asTable = !this.asTable)}
        ></panel-tools>
      </header>
      ${this.#trouble(window)}
      ${
        this.asTable
          ? this.#table(columns)
          : html`<heat-map
              label="${this.heading} over ${window.words}: ${summary}"
              .columns=${columns}
              .axis=${AXIS[this.metric]}
              .guides=${GUIDES[this.metric]}
              .dimmed=${!this.#live.store.isLive}
              @region=${this.#openRegion}
              @zoom=${(event: CustomEvent<Span>) => this.#at.place.zoomTo(event.detail)}
            ></heat-map>`
      }`;
  }

  /** A region of the picture becomes the filter of the request list. */
  readonly #openRegion = (
    event: CustomEvent<{ fromMs: number; untilMs: number; lowMs: number }>,
  ): void => {
    if (this.metric !== "ttft") return;
    const { fromMs, untilMs, lowMs } = event.detail;
    this.#at.place.go("requests", null, {
      from: String(Math.floor(fromMs)),
      until: String(Math.ceil(untilMs)),
      slower: String(Math.floor(lowMs)),
      ...(this.replica === null ? {} : { replica: this.replica }),
    });
  };

  #trouble({ source }: ChartWindow): TemplateResult | string {
    const { answer } = this.#history;
    if (source === "frames" || answer.kind === "ready") return "";
    return html`<p class="hint" role="status">
      ${answer.kind === "loading" ? "Loading history…" : answer.message}
    </p>`;
  }

  #columns(window: ChartWindow): readonly Column[] {
    if (window.source === "frames") return this.#fromFrames(window);
    const { answer } = this.#history;
    if (answer.kind !== "ready") return [];
    const line = answer.value.lines.find(({ label }) => label === (this.replica ?? ""));
    return (line?.points ?? []).map((point) => columnOf(point, answer.value.gamma));
  }

  /** A column that has been drawn once all its seconds were known is drawn again as it is. */
  #fromFrames(window: ChartWindow): readonly Column[] {
    const { store } = this.#live;
    const kept = this.#kept;
    const fresh = new Map<string, Column>();
    const columns = columnsIn(window, store).map(({ atMs, ticks }) => {
      const key = `${this.metric} ${this.replica ?? ""} ${atMs} ${window.stepMs} ${ticks.length}`;
      const made = kept.get(key) ?? this.#column(atMs, ticks);
      fresh.set(key, made);
      return made;
    });
    this.#kept = fresh;
    return columns;
  }

  #column(atMs: number, ticks: readonly Tick[]): Column {
    const distribution = new Distribution(this.#live.store.gamma);
    for (const tick of ticks) {
      const cell = this.replica === null ? tick.real : tick.byReplica[this.replica]?.real;
      if (cell !== undefined) distribution.merge(cell[this.metric]);
    }
    return column(atMs, distribution);
  }

  #table(columns: readonly Column[]): TemplateResult {
    const step = Math.max(1, Math.ceil(columns.length / TABLE_ROWS));
    const rows: Column[] = [];
    for (let index = 0; index < columns.length; index += step) {
      const distribution = new Distribution(this.#live.store.gamma);
      for (const part of columns.slice(index, index + step)) distribution.add(part.distribution);
      rows.push(column(columns[index]?.atMs ?? 0, distribution));
    }
    return html`<div class="scroll" tabindex="0" role="region" aria-label=${this.heading}>
      <table>
        <thead>
          <tr>
            <th>from</th>
            <th>p50</th>
            <th>p95</th>
            <th>p99</th>
            <th>n</th>
          </tr>
        </thead>
        <tbody>
          ${rows.toReversed().map(
            ({ atMs, distribution }) =>
              html`<tr>
                <td>${moment(atMs)}</td>
                <td>${duration(distribution.quantile(0.5))}</td>
                <td>${duration(distribution.quantile(0.95))}</td>
                <td>${p99(distribution)}</td>
                <td>${distribution.count}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}

function figuresOf(name: string, columns: readonly Column[]): Figures {
  return {
    name,
    columns: ["at", "p50 ms", "p95 ms", "p99 ms", "n"],
    rows: columns.map(({ atMs, distribution }) => [
      isoOf(atMs),
      ...[0.5, 0.95].map((q) => distribution.quantile(q)),
      distribution.count < P99_SAMPLES_MIN ? null : distribution.quantile(0.99),
      distribution.count,
    ]),
  };
}

function columnOf(point: PointFigures, gamma: number): Column {
  const distribution = new Distribution(gamma);
  distribution.merge(point.bins ?? []);
  return column(point.startMs, distribution);
}

function column(atMs: number, distribution: Distribution): Column {
  return {
    atMs,
    distribution,
    values: distribution,
    lines: { p50: distribution.quantile(0.5), p95: distribution.quantile(0.95) },
  };
}

function summaryOf(all: Distribution, range: string): string {
  if (all.count === 0) return `no sample in the last ${range}`;
  const few = all.count < SAMPLES_FEW ? ", few samples" : "";
  return `p50 ${duration(all.quantile(0.5))} · p95 ${duration(all.quantile(0.95))} · p99 ${p99(all)} · ${range}, n = ${grouped(all.count)}${few}`;
}

function p99(distribution: Distribution): string {
  return distribution.count < P99_SAMPLES_MIN ? NOTHING : duration(distribution.quantile(0.99));
}

customElements.define("latency-panel", LatencyPanel);
