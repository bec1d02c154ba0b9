import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { TrafficCell } from "../../proxy/live/frames.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { duration, grouped, percent } from "../format.ts";
import { figuresTable } from "../elements/figures-table.ts";
import "../elements/panel-tools.ts";
import { chartWindow, ticksIn } from "../state/chart-window.ts";
import type { Figures } from "../state/figures.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

interface Part {
  readonly name: string;
  readonly color: string;
  readonly of: (cell: TrafficCell) => number;
}

const PARTS: readonly Part[] = [
  { name: "good", color: "--good", of: (cell) => cell.goodput?.good ?? 0 },
  { name: "first token too slow", color: "--warn", of: (cell) => cell.goodput?.slowTtft ?? 0 },
  { name: "tokens too slow", color: "--p95", of: (cell) => cell.goodput?.slowTpot ?? 0 },
  { name: "both too slow", color: "--p99", of: (cell) => cell.goodput?.slowBoth ?? 0 },
  {
    name: "failed or cut",
    color: "--bad",
    of: ({ ended }) => (ended.failed ?? 0) + (ended.cut ?? 0),
  },
  { name: "cancelled by the client", color: "--faint", of: ({ ended }) => ended.cancelled ?? 0 },
];

/** Every request of the window by the promise it broke: one bar says which promise breaks. */
export class GoodputBar extends LitElement {
  static override properties = { asTable: { state: true } };
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      .bar {
        display: flex;
        height: 22px;
        border-radius: 6px;
        overflow: hidden;
        background: var(--raised);
        gap: 1px;
      }
      .bar i {
        min-width: 2px;
      }
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 18px;
        list-style: none;
        padding: 0;
        margin: 8px 0 0;
        font-size: 12.5px;
        color: var(--soft);
      }
      li i {
        display: inline-block;
        width: 10px;
        height: 10px;
        border-radius: 3px;
        margin-right: 6px;
      }
      b {
        color: var(--text);
      }
    `,
  ];
  declare asTable: boolean;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);

  constructor() {
    super();
    this.asTable = false;
  }

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const shown = chartWindow(this.#at.place, store);
    const cells = ticksIn(shown, store).map((tick) => tick.real);
    const counts = PARTS.map(({ of }) => cells.reduce((sum, cell) => sum + of(cell), 0));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const { ttftMs, tpotMs } = store.goodput;
    const targets = `good: first token ≤ ${duration(ttftMs)} and TPOT ≤ ${duration(tpotMs)}`;
    // Frames reach back a quarter of an hour, whatever the charts are asked to show.
    const window = shown.source === "frames" ? shown.words : `${shown.words}, of it the last 15m`;
    const words = PARTS.map(({ name }, at) => `${name} ${percent(share(counts[at], total))}`);
    return html`<header>
        <h2>Goodput</h2>
        <span class="hint">${targets} · ${window}, n = ${grouped(total)}</span>
        <span class="spring"></span>
        <panel-tools
          .figures=${() => figuresOf(counts, total)}
          .table=${this.asTable}
          @table=${() => (this.asTable = !this.asTable)}
        ></panel-tools>
      </header>
      ${this.asTable ? figuresTable(figuresOf(counts, total)) : bar(counts, { total, window, words })}`;
  }
}

function bar(
  counts: readonly number[],
  { total, window, words }: { total: number; window: string; words: readonly string[] },
): TemplateResult {
  return html`<div
      class="bar"
      role="img"
      aria-label="Requests of the last ${window}: ${total === 0 ? "none" : words.join(", ")}"
    >
      ${PARTS.map(({ color, name }, at) => {
        const count = counts[at] ?? 0;
        return count === 0
          ? nothing
          : html`<i
              title="${name}: ${count}"
              style="flex: ${count}; background: var(${color})"
            ></i>`;
      })}
    </div>
    <ul>
      ${PARTS.map(
        ({ name, color }, at) =>
          html`<li>
            <i style="background: var(${color})"></i>${name}
            <b>${percent(share(counts[at], total))}</b> (${grouped(counts[at] ?? 0)})
          </li>`,
      )}
    </ul>`;
}

function figuresOf(counts: readonly number[], total: number): Figures {
  return {
    name: "Goodput",
    columns: ["requests that were", "n", "share"],
    rows: PARTS.map(({ name }, at) => [name, counts[at] ?? 0, share(counts[at], total)]),
  };
}

function share(count: number | undefined, total: number): number | null {
  return total === 0 ? null : (count ?? 0) / total;
}

customElements.define("goodput-bar", GoodputBar);
