import { html, LitElement, nothing, type TemplateResult } from "lit";
import { StoreController } from "../controllers/store-controller.ts";
import "../elements/heat-map.ts";
import type { HeatColumn } from "../elements/heat-map.ts";
import { duration } from "../format.ts";
import { merged } from "../state/bins.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

/** Seconds per column, and columns drawn. */
const STEP_S = 5;
const COLUMNS = 120;
const SUMMARY_S = 300;

/** First tokens as a heat map: one slow population or two, and which promise breaks. */
export class TtftPanel extends LitElement {
  static override properties = { asTable: { state: true } };
  static override styles = [panelStyles, tableStyles];
  declare asTable: boolean;
  readonly #live = new StoreController(this);

  constructor() {
    super();
    this.asTable = false;
  }

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const window = store.distribution("ttft", "real", SUMMARY_S);
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((q) => duration(window.quantile(q)));
    const summary =
      window.count === 0
        ? "no first token yet"
        : `p50 ${p50} · p95 ${p95} · p99 ${p99} · 5 min, n = ${window.count}`;
    return html`<header>
        <h2>Time to first token</h2>
        <span class="hint">${summary}</span>
        <span class="spring"></span>
        <button aria-pressed=${this.asTable} @click=${() => (this.asTable = !this.asTable)}>
          table
        </button>
      </header>
      ${this.asTable ? this.#table() : html`<heat-map label="Time to first token over the last ten minutes: ${summary}" .columns=${this.#columns()} .dimmed=${!store.isLive}></heat-map>`}`;
  }

  #columns(): readonly HeatColumn[] {
    const { store } = this.#live;
    const ticks = store.ticks.slice(-STEP_S * COLUMNS);
    const columns: HeatColumn[] = [];
    // Columns stay aligned to the clock, so that nothing jitters as time moves on.
    const lead = ticks.length % STEP_S;
    for (let index = lead; index < ticks.length; index += STEP_S) {
      const part = ticks.slice(index, index + STEP_S);
      const distribution = merged(
        part.map((tick) => tick.real),
        "ttft",
        store.gamma,
      );
      columns.push({
        atMs: part[0]?.atMs ?? 0,
        values: [...distribution.entries()],
        lines: { p50: distribution.quantile(0.5), p95: distribution.quantile(0.95) },
      });
    }
    return columns;
  }

  #table(): TemplateResult {
    const { store } = this.#live;
    const minutes = Array.from({ length: 10 }, (_, index) => {
      const end = store.ticks.length - index * 60;
      const ticks = store.ticks.slice(Math.max(0, end - 60), Math.max(0, end));
      return {
        atMs: ticks[0]?.atMs,
        distribution: merged(
          ticks.map((tick) => tick.real),
          "ttft",
          store.gamma,
        ),
      };
    });
    return html`<div class="scroll">
      <table>
        <thead>
          <tr>
            <th>minute from</th>
            <th>p50</th>
            <th>p95</th>
            <th>p99</th>
            <th>n</th>
          </tr>
        </thead>
        <tbody>
          ${minutes.map(({ atMs, distribution }) =>
            atMs === undefined
              ? nothing
              : html`<tr>
                  <td>${new Date(atMs).toLocaleTimeString(undefined, { hour12: false })}</td>
                  ${[0.5, 0.95, 0.99].map((q) => html`<td>${duration(distribution.quantile(q))}</td>`)}
                  <td>${distribution.count}</td>
                </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
  }
}

customElements.define("ttft-panel", TtftPanel);
