import { html, LitElement, type TemplateResult } from "lit";
import "../panels/replica-table.ts";
import "../panels/share-panel.ts";
import "../panels/events-lane.ts";
import { pageStyles } from "./page.ts";

/** Which replica is it: all of them, the troubled first, and whether traffic is dealt out fairly. */
export class ReplicasPage extends LitElement {
  static override styles = pageStyles;

  protected override render(): TemplateResult {
    return html`<div class="head">
        <h1>Replicas</h1>
        <p>open one for its own charts and to take it out of routing</p>
      </div>
      <replica-table class="all"></replica-table>
      <share-panel class="all"></share-panel>
      <events-lane class="all"></events-lane>`;
  }
}

customElements.define("replicas-page", ReplicasPage);
