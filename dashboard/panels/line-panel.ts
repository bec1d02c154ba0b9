import { css, html, LitElement, type TemplateResult } from "lit";
import type { Tick } from "../../proxy/live/frames.ts";
import { StoreController } from "../controllers/store-controller.ts";
import "../elements/time-chart.ts";
import type { ChartSeries } from "../elements/time-chart.ts";
import { significant } from "../format.ts";
import type { LiveStore } from "../state/live-store.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

const STEP_S = 5;
const POINTS = 120;

/** A chart of lines over the last ten minutes, with its legend, its latest values and a table behind it. */
export abstract class LinePanel extends LitElement {
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
  readonly live = new StoreController(this);
  protected abstract readonly heading: string;
  protected abstract readonly unit: string;
  protected abstract readonly series: readonly ChartSeries[];
  /** One value per series for a few seconds of ticks. */
  protected abstract values(ticks: readonly Tick[], store: LiveStore): readonly (number | null)[];

  constructor() {
    super();
    this.asTable = false;
  }

  protected override render(): TemplateResult {
    const { store } = this.live;
    const { times, rows } = this.#points();
    const latest = rows.at(-1);
    const data = [times, ...this.series.map((_, column) => rows.map((row) => row[column] ?? null))];
    return html`<header>
        <h2>${this.heading}</h2>
        <span class="legend"
          >${this.series.map((one, index) => html`<span><i style="background: var(${one.color})"></i>${one.label} ${significant(latest?.[index] ?? null)}</span>`)}
          ${this.unit}</span
        >
        <span class="spring"></span>
        <button aria-pressed=${this.asTable} @click=${() => (this.asTable = !this.asTable)}>
          table
        </button>
      </header>
      ${this.asTable ? this.#table(times, rows) : html`<time-chart role="img" aria-label="${this.heading} over the last ten minutes, in ${this.unit}" .series=${this.series} .data=${data} .unit=${this.unit} .dimmed=${!store.isLive}></time-chart>`}`;
  }

  #points(): { times: number[]; rows: (readonly (number | null)[])[] } {
    const { store } = this.live;
    const ticks = store.ticks.slice(-STEP_S * POINTS);
    const times: number[] = [];
    const rows: (readonly (number | null)[])[] = [];
    for (let index = ticks.length % STEP_S; index < ticks.length; index += STEP_S) {
      const part = ticks.slice(index, index + STEP_S);
      times.push((part[0]?.atMs ?? 0) / 1000);
      rows.push(this.values(part, store));
    }
    return { times, rows };
  }

  #table(times: readonly number[], rows: readonly (readonly (number | null)[])[]): TemplateResult {
    const newest = times
      .map((time, index) => ({ time, row: rows[index] ?? [] }))
      .toReversed()
      .slice(0, 12);
    return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th>from</th>
            ${this.series.map((one) => html`<th>${one.label}, ${this.unit}</th>`)}
          </tr>
        </thead>
        <tbody>
          ${newest.map(
            ({ time, row }) =>
              html`<tr>
                <td>${new Date(time * 1000).toLocaleTimeString(undefined, { hour12: false })}</td>
                ${row.map((value) => html`<td>${significant(value)}</td>`)}
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}
