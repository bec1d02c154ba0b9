import { css, html, LitElement, type TemplateResult } from "lit";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { clock, duration, grouped, significant } from "../format.ts";

const THEMES = ["dark", "light", "contrast"] as const;

/** One line that never scrolls away: is everything up, how much goes on, is what you see current. */
export class StatusStrip extends LitElement {
  static override styles = css`
    :host {
      position: sticky;
      top: 0;
      z-index: 20;
      display: flex;
      align-items: center;
      gap: 8px 20px;
      flex-wrap: wrap;
      padding: 10px 20px;
      background: color-mix(in srgb, var(--page) 88%, transparent);
      backdrop-filter: blur(10px);
      border-bottom: 1px solid var(--line);
      font-size: 13px;
      color: var(--soft);
    }
    .brand {
      display: flex;
      align-items: center;
      gap: 9px;
      font-weight: 650;
      font-size: 15px;
      color: var(--text);
      margin-right: 6px;
    }
    .brand img {
      width: 22px;
      height: 22px;
    }
    b {
      color: var(--text);
      font-weight: 600;
    }
    .dot {
      display: inline-block;
      width: 8px;
      height: 8px;
      border-radius: 50%;
      margin-right: 7px;
      background: var(--good);
    }
    .dot.warn {
      background: var(--warn);
    }
    .dot.bad {
      background: var(--bad);
    }
    .spring {
      flex: 1;
    }
    .gone {
      color: var(--bad);
      font-weight: 600;
    }
    .dim {
      opacity: 0.45;
    }
    button {
      display: var(--tools, inline-block);
      font: inherit;
      color: var(--soft);
      background: none;
      border: 1px solid var(--line);
      border-radius: 6px;
      padding: 2px 9px;
      cursor: pointer;
    }
    button:hover {
      color: var(--text);
      background: var(--raised);
    }
    button:focus-visible {
      outline: 2px solid var(--accent);
      outline-offset: 2px;
    }
  `;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const { place } = this.#at;
    const replicas = [...store.replicas.values()];
    const up = replicas.filter((view) => view.state === "up").length;
    const health = up === replicas.length && up > 0 ? "good" : up > 0 ? "warn" : "bad";
    const minute = store.cells("real", 60);
    const ended = minute.reduce(
      (sum, cell) => sum + Object.values(cell.ended).reduce((a, b) => a + b, 0),
      0,
    );
    const rate = minute.length === 0 ? null : ended / minute.length;
    const { ttft } = store.lately.fleet;
    return html`
      <span class="brand"><img src="/icon.svg" alt="" />Pitot</span>
      <span class=${store.isLive ? "" : "dim"}
        ><span class="dot ${health}"></span><b>${up}/${replicas.length}</b> replicas up</span
      >
      <span class=${store.isLive ? "" : "dim"}><b>${significant(rate)}</b> req/s</span>
      <span class=${store.isLive ? "" : "dim"}
        ><b>${grouped(store.realInFlight)}</b> in flight</span
      >
      <span class=${store.isLive ? "" : "dim"}
        >TTFT p95 <b>${duration(ttft.quantile(0.95))}</b> (5 min, n = ${grouped(ttft.count)})</span
      >
      <span class="spring"></span>
      ${this.#connection()}
      <button
        title="Times as at Greenwich, or as here"
        aria-pressed=${place.isUtc}
        @click=${() => {
          place.set("utc", place.isUtc ? null : "1");
          store.dispatchEvent(new Event("change"));
        }}
      >
        ${place.isUtc ? "UTC" : "local time"}
      </button>
      <button @click=${toggleTheme} title="Dark, light, high contrast">◐ theme</button>
    `;
  }

  #connection(): TemplateResult {
    const { connection } = this.#live.store;
    switch (connection.kind) {
      case "live":
        return html`<span role="status"><span class="dot"></span>live</span>`;
      case "recording":
        return html`<span role="status"
          ><span class="dot" style="background: var(--synthetic)"></span>recording</span
        >`;
      case "connecting":
        return html`<span role="status"><span class="dot warn"></span>connecting…</span>`;
      case "stale":
        return html`<span role="status" class="gone"
          >no news since ${clock(connection.sinceMs)}</span
        >`;
      case "disconnected":
        return html`<span role="status" class="gone"
          >disconnected since ${clock(connection.sinceMs)}, reconnecting</span
        >`;
    }
  }
}

function toggleTheme(): void {
  const root = document.documentElement;
  const at = THEMES.findIndex((theme) => theme === root.dataset["theme"]);
  const theme = THEMES[(at + 1) % THEMES.length] ?? "dark";
  root.dataset["theme"] = theme;
  localStorage.setItem("pitot-theme", theme);
  window.dispatchEvent(new Event("theme"));
}

customElements.define("status-strip", StatusStrip);
