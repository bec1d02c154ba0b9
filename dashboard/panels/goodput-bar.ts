import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { TrafficCell } from "../../proxy/live/frames.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { duration, grouped, percent } from "../format.ts";
import { LIVE_MS_MAX } from "../state/history.ts";
import { RANGES } from "../state/place.ts";
import { panelStyles } from "../styles/panel.ts";

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
  static override styles = [
    panelStyles,
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
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const { range } = this.#at.place;
    const spanMs = Math.min(RANGES[range], LIVE_MS_MAX);
    const cells = store.shownTicks.slice(-spanMs / 1000).map((tick) => tick.real);
    const counts = PARTS.map(({ of }) => cells.reduce((sum, cell) => sum + of(cell), 0));
    const total = counts.reduce((sum, count) => sum + count, 0);
    const { ttftMs, tpotMs } = store.goodput;
    const targets = `good: first token ≤ ${duration(ttftMs)} and TPOT ≤ ${duration(tpotMs)}`;
    const window = RANGES[range] > LIVE_MS_MAX ? "15m" : range;
    const words = PARTS.map(({ name }, at) => `${name} ${percent(share(counts[at], total))}`);
    return html`<header>
        <h2>Goodput</h2>
        <span class="hint">${targets} · ${window}, n = ${grouped(total)}</span>
      </header>
      <div
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
}

function share(count: number | undefined, total: number): number | null {
  return total === 0 ? null : (count ?? 0) / total;
}

customElements.define("goodput-bar", GoodputBar);
