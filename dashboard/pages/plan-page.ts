import { html, LitElement, type TemplateResult } from "lit";
import { emptyStyles } from "./empty.ts";
import { pageStyles } from "./page.ts";

/** How many replicas a load needs. Needs a measured capacity to say anything. */
export class PlanPage extends LitElement {
  static override styles = [pageStyles, emptyStyles];

  protected override render(): TemplateResult {
    return html`<div class="head"><h1>Plan</h1></div>
      <section class="empty">
        <h2>Nothing to plan with yet</h2>
        <p>
          A plan divides the load you expect by what one replica was measured to hold within your
          promise, and never guesses. Sweep a replica first: its capacity is what the plan is made
          of.
        </p>
        <pre>pitot sweep http://127.0.0.1:8000 --objective 'ttft_p95<=1s'</pre>
      </section>`;
  }
}

customElements.define("plan-page", PlanPage);
