import { html, LitElement, type TemplateResult } from "lit";
import { emptyStyles } from "./empty.ts";
import { pageStyles } from "./page.ts";

/** The kept results. Empty until sweeps are kept in it. */
export class AlmanacPage extends LitElement {
  static override styles = [pageStyles, emptyStyles];

  protected override render(): TemplateResult {
    return html`<div class="head"><h1>Almanac</h1></div>
      <section class="empty">
        <h2>No result is kept yet</h2>
        <p>
          The almanac compares what sweeps have measured: model by model, engine by engine, shape by
          shape. Sweep a replica first; every finished run is kept on disk and can be compared.
        </p>
        <pre>pitot sweep http://127.0.0.1:8000 --preset quick --shape 1024x128</pre>
      </section>`;
  }
}

customElements.define("almanac-page", AlmanacPage);
