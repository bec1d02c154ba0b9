import { css, html, LitElement, type TemplateResult } from "lit";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { clock } from "../format.ts";
import { RANGE_DEFAULT, type RangeName, RANGES } from "../state/place.ts";

/** How far back the charts look, and whether they move. */
export class RangePicker extends LitElement {
  static override styles = css`
    :host {
      display: var(--tools, inline-flex);
      gap: 8px;
      align-items: center;
      flex-wrap: wrap;
    }
    [role="group"] {
      display: inline-flex;
      border: 1px solid var(--line);
      border-radius: 8px;
      overflow: hidden;
    }
    button {
      font: inherit;
      font-size: 12px;
      color: var(--soft);
      background: none;
      border: none;
      padding: 4px 10px;
      cursor: pointer;
    }
    [role="group"] button + button {
      border-left: 1px solid var(--line);
    }
    button:hover,
    button[aria-pressed="true"] {
      background: var(--raised);
      color: var(--text);
    }
    button:focus-visible {
      outline: 2px solid var(--accent);
      outline-offset: -2px;
    }
    .pause {
      border: 1px solid var(--line);
      border-radius: 8px;
    }
    .held {
      color: var(--warn);
      font-size: 12px;
    }
  `;
  readonly #at = new PlaceController(this);
  readonly #live = new StoreController(this);

  protected override render(): TemplateResult {
    const { place } = this.#at;
    const { store } = this.#live;
    return html`${this.#held()}
      <div role="group" aria-label="Range">
        ${(Object.keys(RANGES) as RangeName[]).map(
          (name) =>
            html`<button
              data-range
              aria-pressed=${place.zoom === null && name === place.range}
              @click=${() => {
                place.zoomTo(null);
                place.set("range", name === RANGE_DEFAULT ? null : name);
              }}
            >
              ${name}
            </button>`,
        )}
      </div>
      <button
        class="pause"
        aria-pressed=${store.pausedAtMs !== null}
        @click=${() => store.togglePause()}
      >
        ${store.pausedAtMs === null ? "❚❚ pause" : "▶ go on"}
      </button>`;
  }

  #held(): TemplateResult | string {
    const { zoom } = this.#at.place;
    const { pausedAtMs } = this.#live.store;
    if (zoom !== null)
      return html`<span class="held" role="status"
          >zoomed to ${clock(zoom.fromMs)} – ${clock(zoom.untilMs)}, charts stand still</span
        ><button class="pause" @click=${() => this.#at.place.zoomTo(null)}>✕ back to live</button>`;
    if (pausedAtMs === null) return "";
    return html`<span class="held" role="status">paused at ${clock(pausedAtMs)}</span>`;
  }
}

customElements.define("range-picker", RangePicker);
