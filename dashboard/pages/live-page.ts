import { html, LitElement, nothing, type TemplateResult } from "lit";
import { PlaceController } from "../controllers/place-controller.ts";
import "../panels/events-lane.ts";
import "../panels/goodput-bar.ts";
import "../panels/latency-panel.ts";
import "../panels/range-picker.ts";
import "../panels/replica-table.ts";
import "../panels/request-tables.ts";
import "../panels/slo-cards.ts";
import "../panels/throughput-panel.ts";
import "../panels/tile-row.ts";
import { pageStyles } from "./page.ts";

/** What is read at a desk: a wall shows what fits its screen. */
const BELOW = html`<throughput-panel class="all"></throughput-panel>
  <goodput-bar class="all"></goodput-bar>
  <events-lane class="all"></events-lane>
  <replica-table class="all"></replica-table>
  <in-flight-table class="narrow"></in-flight-table>
  <recent-table class="wide"></recent-table>`;

/** The wall page: is it slow, for whom, since when. */
export class LivePage extends LitElement {
  static override styles = pageStyles;
  readonly #at = new PlaceController(this);

  protected override render(): TemplateResult {
    const { isKiosk } = this.#at.place;
    return html`<div class="head">
        <h1>Live</h1>
        <p>real traffic unless said otherwise</p>
        <span class="spring"></span><range-picker></range-picker>
      </div>
      <slo-cards class="all"></slo-cards>
      <tile-row class="all"></tile-row>
      <latency-panel class="wide" metric="ttft" heading="Time to first token"></latency-panel>
      <latency-panel class="narrow" metric="tpot" heading="Time per output token"></latency-panel>
      ${isKiosk ? nothing : BELOW}`;
  }
}

customElements.define("live-page", LivePage);
