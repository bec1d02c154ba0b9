import { css, html, LitElement, type TemplateResult } from "lit";
import type { ReplicaView } from "../../proxy/upstream/fleet.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { age, clock, grouped, NOTHING, percent } from "../format.ts";
import "../panels/envelope-panel.ts";
import "../panels/latency-panel.ts";
import "../panels/range-picker.ts";
import "../panels/replica-actions.ts";
import { factStyles } from "../styles/panel.ts";
import { pageStyles } from "./page.ts";

/** One replica: how it stands, what its engine says, its latencies. */
export class ReplicaPage extends LitElement {
  static override properties = { replica: {} };
  static override styles = [
    pageStyles,
    factStyles,
    css`
      dl {
        grid-template-columns: repeat(auto-fill, minmax(185px, 1fr));
        gap: 12px 20px;
        margin: 0;
        padding: 14px 16px;
        background: var(--panel);
        border: 1px solid var(--line);
        border-radius: var(--radius);
      }
      dd {
        font-weight: 600;
      }
      a {
        color: var(--accent);
      }
    `,
  ];
  declare replica: string;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);

  constructor() {
    super();
    this.replica = "";
  }

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const view = store.replicas.get(this.replica);
    const back = html`<a
      href=${this.#at.place.href("replicas")}
      @click=${(event: MouseEvent) => {
        this.#at.place.follow(event, "replicas");
      }}
      >Replicas</a
    >`;
    if (view === undefined)
      return html`<div class="head">
        <h1>${back} / ${this.replica}</h1>
        <p>There is no replica of this name${store.replicas.size === 0 ? " yet" : ""}.</p>
      </div>`;
    return html`<div class="head">
        <h1>${back} / ${view.id}</h1>
        <replica-actions .view=${view}></replica-actions>
        <span class="spring"></span><range-picker></range-picker>
      </div>
      <dl class="all">
        ${factsOf(view, store.nowMs).map(
          ([name, value]) =>
            html`<div>
              <dt>${name}</dt>
              <dd>${value}</dd>
            </div>`,
        )}
      </dl>
      <latency-panel
        class="half"
        metric="ttft"
        heading="Time to first token"
        .replica=${view.id}
      ></latency-panel>
      <latency-panel
        class="half"
        metric="tpot"
        heading="Time per output token"
        .replica=${view.id}
      ></latency-panel>
      <envelope-panel class="all" .replica=${view.id}></envelope-panel>`;
  }
}

/** How it stands, as its engine and our probes say. */
function factsOf(view: ReplicaView, nowMs: number): readonly (readonly [string, string])[] {
  const { stats, lastProbe, statsAtMs } = view;
  const probe =
    lastProbe === null
      ? NOTHING
      : `${lastProbe.ok ? "ok" : lastProbe.message}, ${clock(lastProbe.atMs)}`;
  return [
    ["state", `${view.state}, ${age(Math.max(0, nowMs - view.sinceMs))}`],
    ["because", view.because],
    ["engine", `${view.engine ?? "unknown"} ${view.version ?? ""}`.trim()],
    ["serves", view.models.join(", ") || NOTHING],
    ["address", view.url],
    ["weight", String(view.weight)],
    ["in flight", grouped(view.inFlight)],
    ["engine running", grouped(stats?.running ?? null)],
    ["engine waiting", grouped(stats?.waiting ?? null)],
    ["KV cache", percent(stats?.kvCacheUsageRatio ?? null)],
    ["prefix hits", percent(ratio(stats?.prefixHitTokens, stats?.prefixQueryTokens))],
    ["preemptions", grouped(stats?.preemptions ?? null)],
    ["breaker", view.breakerOpen ? "open" : "closed"],
    ["last probe", probe],
    ["statistics", statsAtMs === null ? NOTHING : `${age(Math.max(0, nowMs - statsAtMs))} old`],
  ];
}

function ratio(part: number | null | undefined, whole: number | null | undefined): number | null {
  if (part === null || part === undefined || whole === null || whole === undefined) return null;
  return whole === 0 ? null : part / whole;
}

customElements.define("replica-page", ReplicaPage);
