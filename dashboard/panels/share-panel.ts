import { css, html, LitElement, type TemplateResult } from "lit";
import { StoreController } from "../controllers/store-controller.ts";
import { grouped, percent } from "../format.ts";
import type { ReplicaView } from "../../proxy/upstream/fleet.ts";
import { figuresTable } from "../elements/figures-table.ts";
import "../elements/panel-tools.ts";
import type { Figures } from "../state/figures.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

/** Each replica's share of the traffic against its fair share: is one of them favoured, or starved? */
export class SharePanel extends LitElement {
  static override properties = { asTable: { state: true } };
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 460px), 1fr));
        gap: 8px 32px;
      }
      li {
        display: grid;
        grid-template-columns: 120px 1fr 104px;
        gap: 12px;
        height: 1.5em;
        contain: strict;
        content-visibility: auto;
        align-items: center;
        font-size: 13px;
      }
      .track {
        position: relative;
        height: 12px;
        border-radius: 4px;
        background: var(--raised);
      }
      .track i {
        position: absolute;
        inset: 0 auto 0 0;
        border-radius: 4px;
        background: var(--real);
      }
      .track b {
        position: absolute;
        top: -3px;
        bottom: -3px;
        width: 2px;
        background: var(--text);
      }
      span:first-child {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      span:last-child {
        text-align: right;
        color: var(--soft);
      }
    `,
  ];
  declare asTable: boolean;
  readonly #live = new StoreController(this);

  constructor() {
    super();
    this.asTable = false;
  }

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const views = [...store.replicas.values()].filter(({ state }) => state === "up");
    const counts = views.map(({ id }) => store.lately.byReplica.get(id)?.ended ?? 0);
    const total = counts.reduce((sum, count) => sum + count, 0);
    const figures = figuresOf(views, counts);
    return html`<header>
        <h2>Share of traffic</h2>
        <span class="hint"
          >requests ended over 5 min, n = ${grouped(total)} · the mark is the fair share by
          weight</span
        >
        <span class="spring"></span>
        <panel-tools
          .figures=${() => figures}
          .table=${this.asTable}
          @table=${() => (this.asTable = !this.asTable)}
        ></panel-tools>
      </header>
      ${this.asTable ? figuresTable(figures) : this.#bars(views, counts)}`;
  }

  #bars(views: readonly ReplicaView[], counts: readonly number[]): TemplateResult {
    const weights = views.reduce((sum, { weight }) => sum + weight, 0);
    const total = counts.reduce((sum, count) => sum + count, 0);
    return html`<ul>
      ${views.map(({ id, weight }, at) => {
        const share = total === 0 ? null : (counts[at] ?? 0) / total;
        const fair = weights === 0 ? 0 : weight / weights;
        return html`<li>
          <span title=${id}>${id}</span>
          <div
            class="track"
            role="img"
            aria-label="${percent(share)} of the traffic, fair share ${percent(fair)}"
          >
            <i style="width: ${drawn(share ?? 0)}%"></i><b style="left: ${drawn(fair)}%"></b>
          </div>
          <span>${percent(share)} of ${percent(fair)}</span>
        </li>`;
      })}
      ${views.length === 0 ? html`<li class="hint">No replica is up.</li>` : ""}
    </ul>`;
  }
}

/** As fine as a screen shows it: what changes by less is not drawn anew. */
function drawn(share: number): string {
  return (share * 100).toFixed(1);
}

function figuresOf(views: readonly ReplicaView[], counts: readonly number[]): Figures {
  const weights = views.reduce((sum, { weight }) => sum + weight, 0);
  const total = counts.reduce((sum, count) => sum + count, 0);
  return {
    name: "Share of traffic",
    columns: ["replica", "requests", "share", "fair share"],
    rows: views.map(({ id, weight }, at) => [
      id,
      counts[at] ?? 0,
      total === 0 ? null : (counts[at] ?? 0) / total,
      weights === 0 ? null : weight / weights,
    ]),
  };
}

customElements.define("share-panel", SharePanel);
