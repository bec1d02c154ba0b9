import { css, html, LitElement, type TemplateResult } from "lit";
import type { ReplicaView } from "../../proxy/upstream/fleet.ts";
import { StoreController } from "../controllers/store-controller.ts";
import {
  age,
  duration,
  grouped,
  NOTHING,
  percent,
  SAMPLES_FEW,
  shortModel,
  significant,
} from "../format.ts";
import type { Distribution } from "../state/bins.ts";
import { place } from "../state/place.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

const WINDOW_S = 300;
/** State as glyph, word and colour: never colour alone. */
const STATES = {
  up: ["●", "--good"],
  starting: ["◌", "--warn"],
  draining: ["◐", "--warn"],
  down: ["✕", "--bad"],
  disabled: ["■", "--faint"],
} as const;
const ORDER = ["down", "disabled", "starting", "draining", "up"];

/** Every replica in one dense table, the troubled first. */
export class ReplicaTable extends LitElement {
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      .name {
        font-weight: 600;
        color: inherit;
        text-decoration: none;
      }
      .name:hover {
        text-decoration: underline;
      }
      .sub {
        color: var(--faint);
        font-size: 12px;
        margin-left: 8px;
      }
      .bar {
        display: inline-block;
        width: 54px;
        height: 6px;
        border-radius: 3px;
        background: var(--raised);
        margin-right: 8px;
        vertical-align: middle;
        overflow: hidden;
      }
      .bar i {
        display: block;
        height: 100%;
        background: var(--accent);
      }
    `,
  ];
  readonly #live = new StoreController(this);

  protected override render(): TemplateResult {
    const views = [...this.#live.store.replicas.values()].sort(
      (a, b) =>
        ORDER.indexOf(a.state) - ORDER.indexOf(b.state) ||
        a.id.localeCompare(b.id, undefined, { numeric: true }),
    );
    const up = views.filter((view) => view.state === "up").length;
    return html`<header>
        <h2>Replicas</h2>
        <span class="hint"
          >${up} of ${views.length} up · latencies and rates of real traffic over 5 min · engine
          figures as the engine tells them</span
        >
      </header>
      <div class="scroll" tabindex="0" role="region" aria-label="Replicas">
        <table>
          <thead>
            <tr>
              <th>replica</th>
              <th class="left">state</th>
              <th class="left">model</th>
              <th>in flight</th>
              <th title="As the engine says: in its batch, and waiting for it">run / wait</th>
              <th>KV cache</th>
              <th>req/s</th>
              <th>out tok/s</th>
              <th>TTFT p50</th>
              <th>p95</th>
              <th>TPOT p50</th>
              <th>failed</th>
              <th>since</th>
            </tr>
          </thead>
          <tbody>
            ${
              views.length === 0
                ? html`<tr>
                    <td class="empty" colspan="13">
                      No replica is configured: start with
                      <code>pitot serve --replica http://host:port</code>.
                    </td>
                  </tr>`
                : views.map((view) => this.#row(view))
            }
          </tbody>
        </table>
      </div>`;
  }

  #row(view: ReplicaView): TemplateResult {
    const { store } = this.#live;
    const [glyph, color] = STATES[view.state];
    const cells = store.cells("real", WINDOW_S, view.id);
    const seconds = Math.max(1, Math.min(WINDOW_S, store.ticks.length));
    const ended = cells.reduce(
      (sum, cell) => sum + Object.values(cell.ended).reduce((a, b) => a + b, 0),
      0,
    );
    const tokens = cells.reduce((sum, cell) => sum + cell.outputTokens, 0);
    const failed = cells.reduce(
      (sum, cell) => sum + (cell.ended.failed ?? 0) + (cell.ended.cut ?? 0),
      0,
    );
    const ttft = store.distribution("ttft", "real", WINDOW_S, view.id);
    const tpot = store.distribution("tpot", "real", WINDOW_S, view.id);
    const kv = view.stats?.kvCacheUsageRatio ?? null;
    return html`<tr data-replica=${view.id}>
      <td>
        <a
          class="name"
          href="/replicas/${encodeURIComponent(view.id)}"
          @click=${(event: Event) => {
            event.preventDefault();
            place.go("replicas", view.id);
          }}
          >${view.id}</a
        ><span class="sub">${view.engine ?? "unknown"} ${view.version ?? ""}</span>
      </td>
      <td class="left" title=${view.because}>
        <span style="color: var(${color})">${glyph}</span> ${view.state}
      </td>
      <td class="left">${shortModel(view.models[0] ?? "")}</td>
      <td>${view.inFlight}</td>
      <td>${grouped(view.stats?.running ?? null)} / ${grouped(view.stats?.waiting ?? null)}</td>
      <td>
        ${kv === null ? NOTHING : html`<span class="bar"><i style="width: ${Math.min(100, kv * 100)}%"></i></span>${percent(kv)}`}
      </td>
      <td>${ended === 0 ? NOTHING : significant(ended / seconds)}</td>
      <td>${tokens === 0 ? NOTHING : grouped(tokens / seconds)}</td>
      ${quantile(ttft, 0.5)}${quantile(ttft, 0.95)}${quantile(tpot, 0.5)}
      <td>${ended === 0 ? NOTHING : failed}</td>
      <td title=${view.because}>${age(Math.max(0, store.nowMs - view.sinceMs))}</td>
    </tr>`;
  }
}

function quantile(distribution: Distribution, q: number): TemplateResult {
  const few = distribution.count < SAMPLES_FEW;
  return html`<td class=${few ? "few" : ""} title="n = ${distribution.count}">
    ${duration(distribution.quantile(q))}
  </td>`;
}

customElements.define("replica-table", ReplicaTable);
