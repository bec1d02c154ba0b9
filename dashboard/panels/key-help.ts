import { css, html, LitElement, type TemplateResult } from "lit";
import { KEYS } from "../controllers/keys.ts";
import { dialogStyles } from "../styles/dialog.ts";

/** What every key does. */
export class KeyHelp extends LitElement {
  static override styles = [
    dialogStyles,
    css`
      dl {
        display: grid;
        grid-template-columns: max-content 1fr;
        gap: 6px 18px;
        margin: 12px 0 0;
      }
      dd {
        margin: 0;
        color: var(--soft);
      }
      kbd {
        font: 12px var(--mono);
        border: 1px solid var(--line);
        border-radius: 5px;
        padding: 1px 6px;
        background: var(--raised);
      }
    `,
  ];

  toggle(): void {
    const dialog = this.renderRoot.querySelector("dialog");
    if (dialog?.open === true) dialog.close();
    else dialog?.showModal();
  }

  protected override render(): TemplateResult {
    return html`<dialog aria-label="Keys">
      <header>
        <h2>Keys</h2>
        <span class="spring"></span>
        <button @click=${() => this.toggle()}>close</button>
      </header>
      <dl>
        ${KEYS.map(
          ([key, does]) =>
            html`<dt><kbd>${key}</kbd></dt>
              <dd>${does}</dd>`,
        )}
      </dl>
    </dialog>`;
  }
}

customElements.define("key-help", KeyHelp);
