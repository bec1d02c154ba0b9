import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { listenToKeys } from "./controllers/keys.ts";
import { Wall } from "./controllers/wall.ts";
import { PlaceController } from "./controllers/place-controller.ts";
import "./pages/almanac-page.ts";
import "./pages/live-page.ts";
import "./pages/plan-page.ts";
import "./pages/replica-page.ts";
import "./pages/replicas-page.ts";
import "./pages/requests-page.ts";
import "./pages/sweeps-page.ts";
import "./panels/key-help.ts";
import type { KeyHelp } from "./panels/key-help.ts";
import "./panels/nav-rail.ts";
import "./panels/recording-bar.ts";
import "./panels/request-detail.ts";
import "./panels/status-strip.ts";
import { store } from "./state/live-store.ts";
import { place } from "./state/place.ts";

/** The board: the strip that never scrolls away, the rail, and the page the address names. */
export class PitotApp extends LitElement {
  static override styles = css`
    :host {
      display: block;
      min-height: 100vh;
    }
    .body {
      display: grid;
      grid-template-columns: 158px minmax(0, 1fr);
      min-height: calc(100vh - 45px);
    }
    .kiosk .body {
      grid-template-columns: minmax(0, 1fr);
      min-height: 0;
    }
    nav-rail {
      border-right: 1px solid var(--line);
    }
    @media (max-width: 1100px) {
      .body {
        grid-template-columns: minmax(0, 1fr);
      }
      nav-rail {
        border: none;
        min-width: 0;
      }
    }
    /* Nobody stands at a wall and clicks. */
    .kiosk {
      zoom: 1.35;
      --tools: none;
      --heat-height: 190px;
    }
    .lost {
      position: fixed;
      inset: 0;
      z-index: 30;
      display: grid;
      place-items: center;
      font-size: 6vw;
      font-weight: 650;
      color: white;
      background: color-mix(in srgb, oklch(0.42 0.16 27) 88%, transparent);
    }
  `;
  readonly #at = new PlaceController(this);
  #stopKeys: () => void = () => {};
  readonly #wall = new Wall(
    place,
    () => store.slos.map(({ name }) => name),
    () => {
      this.requestUpdate();
    },
  );
  /** How long the connection has been lost goes on without frames, and so must what says it. */
  #lostTimer: ReturnType<typeof setInterval> | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    place.start();
    if (!new URLSearchParams(location.search).has("recording")) store.start();
    window.addEventListener("theme", this.#themed);
    this.#stopKeys = listenToKeys({
      place,
      store,
      root: () => this.renderRoot,
      toggleHelp: () => this.renderRoot.querySelector<KeyHelp>("key-help")?.toggle(),
    });
    if (!place.isKiosk) return;
    this.#wall.start();
    this.#lostTimer = setInterval(() => {
      this.requestUpdate();
    }, 1_000);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    place.stop();
    store.stop();
    this.#stopKeys();
    this.#wall.stop();
    if (this.#lostTimer !== null) clearInterval(this.#lostTimer);
    window.removeEventListener("theme", this.#themed);
  }

  protected override render(): TemplateResult {
    const { isKiosk, page, query } = this.#at.place;
    const open = page === "requests" ? this.#at.place.id : query.get("open");
    return html`<div
        class=${isKiosk ? "kiosk" : ""}
        style=${isKiosk ? this.#wall.style() : ""}
        @open-request=${(event: CustomEvent<string>) => {
          if (page === "requests") place.go("requests", event.detail, Object.fromEntries(query));
          else place.set("open", event.detail);
        }}
        @close-request=${() => {
          if (page === "requests") place.go("requests", null, Object.fromEntries(query));
          else place.set("open", null);
        }}
      >
        <status-strip></status-strip>
        <recording-bar></recording-bar>
        <div class="body">
          ${isKiosk ? nothing : html`<nav-rail></nav-rail>`}
          <main>${this.#page()}</main>
        </div>
        ${open === null ? nothing : html`<request-detail .requestId=${open}></request-detail>`}
        <key-help></key-help>
      </div>
      ${isKiosk ? this.#lost() : nothing}`;
  }

  #page(): TemplateResult {
    const { page, id } = this.#at.place;
    switch (page) {
      case "live":
        return html`<live-page></live-page>`;
      case "replicas":
        return id === null
          ? html`<replicas-page></replicas-page>`
          : html`<replica-page .replica=${id}></replica-page>`;
      case "requests":
        return html`<requests-page></requests-page>`;
      case "sweeps":
        return html`<sweeps-page .sweep=${id}></sweeps-page>`;
      case "almanac":
        return html`<almanac-page></almanac-page>`;
      case "plan":
        return html`<plan-page></plan-page>`;
    }
  }

  #lost(): TemplateResult | typeof nothing {
    const { connection } = store;
    if (connection.kind !== "disconnected" && connection.kind !== "stale") return nothing;
    const seconds = Math.max(0, Math.round((Date.now() - connection.sinceMs) / 1000));
    const clock = `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
    return html`<div class="lost" role="alert">connection lost ${clock}</div>`;
  }

  /** Canvases hold the colours they were drawn with. */
  readonly #themed = (): void => {
    store.dispatchEvent(new Event("change"));
  };
}

customElements.define("pitot-app", PitotApp);
