import { html, LitElement, type TemplateResult } from "lit";
import "../panels/request-tables.ts";
import "../panels/request-list.ts";
import { pageStyles } from "./page.ts";

/** Which requests suffer: what is under way, what ended, filtered, and what the bad ones share. */
export class RequestsPage extends LitElement {
  static override styles = pageStyles;

  protected override render(): TemplateResult {
    return html`<div class="head">
        <h1>Requests</h1>
        <p>no prompt and no answer is kept: only when, how long and how it ended</p>
      </div>
      <in-flight-table class="all" style="--rows-height: 120px"></in-flight-table>
      <request-list class="all"></request-list>`;
  }
}

customElements.define("requests-page", RequestsPage);
