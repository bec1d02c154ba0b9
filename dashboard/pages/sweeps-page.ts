import { html, LitElement, type TemplateResult } from "lit";
import { emptyStyles } from "./empty.ts";
import { pageStyles } from "./page.ts";

/** Sweeps of this fleet's replicas. */
export class SweepsPage extends LitElement {
  static override properties = { sweep: {} };
  static override styles = [pageStyles, emptyStyles];
  declare sweep: string | null;

  constructor() {
    super();
    this.sweep = null;
  }

  protected override render(): TemplateResult {
    return html`<div class="head"><h1>Sweeps</h1></div>
      <section class="empty">
        <h2>No sweep has run here yet</h2>
        <p>
          A sweep measures one replica from one request at a time to a flood, through the same meter
          as real traffic.
        </p>
        <pre>pitot sweep http://127.0.0.1:8000 --preset quick --shape 1024x128</pre>
      </section>`;
  }
}

customElements.define("sweeps-page", SweepsPage);
