import { css, html, LitElement, type TemplateResult } from "lit";
import { StoreController } from "../controllers/store-controller.ts";
import { percent } from "../format.ts";
import { panelStyles } from "../styles/panel.ts";

const WINDOW_S = 300;

/** Each replica's share of the traffic against its fair share: is one of them favoured, or starved? */
export class SharePanel extends LitElement {
  static override styles = [
    panelStyles,
    css`
      ul {
        list-style: none;
        margin: 0;
        padding: 0;
        display: grid;
        gap: 8px;
      }
      li {
        display: grid;
        grid-template-columns: 130px 1fr 120px;
        gap: 12px;
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
  readonly #live = new StoreController(this);

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const views = [...store.replicas.values()].filter(({ state }) => state === "up");
    const weights = views.reduce((sum, { weight }) => sum + weight, 0);
    const counts = views.map(({ id }) =>
      store.cells("real", WINDOW_S, id).reduce((sum, cell) => sum + cell.started, 0),
    );
    const total = counts.reduce((sum, count) => sum + count, 0);
    return html`<header>
        <h2>Share of traffic</h2>
        <span class="hint"
          >requests begun over 5 min, n = ${total} · the mark is the fair share by weight</span
        >
      </header>
      <ul>
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
              <i style="width: ${(share ?? 0) * 100}%"></i><b style="left: ${fair * 100}%"></b>
            </div>
            <span>${percent(share)} of ${percent(fair)}</span>
          </li>`;
        })}
        ${views.length === 0 ? html`<li class="hint">No replica is up.</li>` : ""}
      </ul>`;
  }
}

customElements.define("share-panel", SharePanel);
