import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import "./panels/replica-table.ts";
import "./panels/request-detail.ts";
import "./panels/request-tables.ts";
import "./panels/status-strip.ts";
import "./panels/throughput-panel.ts";
import "./panels/tile-row.ts";
import "./panels/tpot-panel.ts";
import "./panels/ttft-panel.ts";
import { store } from "./state/live-store.ts";

/** The page: the strip that never scrolls away, and the panels of the live view. */
export class PitotApp extends LitElement {
  static override properties = { openRequest: { state: true } };
  static override styles = css`
    :host {
      display: block;
      min-height: 100vh;
    }
    main {
      display: grid;
      grid-template-columns: repeat(12, minmax(0, 1fr));
      gap: var(--gap, 14px);
      padding: 16px 20px 28px;
      max-width: 2200px;
      margin: 0 auto;
    }
    .all {
      grid-column: 1 / -1;
    }
    .wide {
      grid-column: span 7;
    }
    .narrow {
      grid-column: span 5;
    }
    .half {
      grid-column: span 6;
    }
    @media (max-width: 1100px) {
      .wide,
      .narrow,
      .half {
        grid-column: 1 / -1;
      }
    }
    @media (max-width: 600px) {
      main {
        padding: 12px;
      }
    }
  `;
  declare openRequest: string | null;

  constructor() {
    super();
    this.openRequest = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    store.start();
    window.addEventListener("theme", this.#themed);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    store.stop();
    window.removeEventListener("theme", this.#themed);
  }

  protected override render(): TemplateResult {
    return html`<status-strip></status-strip>
      <main
        @open-request=${(event: CustomEvent<string>) => {
          this.openRequest = event.detail;
        }}
        @close-request=${() => {
          this.openRequest = null;
        }}
      >
        <tile-row class="all"></tile-row>
        <ttft-panel class="wide"></ttft-panel>
        <tpot-panel class="narrow"></tpot-panel>
        <throughput-panel class="all"></throughput-panel>
        <replica-table class="all"></replica-table>
        <in-flight-table class="half"></in-flight-table>
        <recent-table class="half"></recent-table>
        ${this.openRequest === null ? nothing : html`<request-detail .requestId=${this.openRequest}></request-detail>`}
      </main>`;
  }

  /** Canvases hold the colours they were drawn with. */
  readonly #themed = (): void => {
    store.dispatchEvent(new Event("change"));
  };
}

customElements.define("pitot-app", PitotApp);
