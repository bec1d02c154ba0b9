import { css, html, LitElement, type TemplateResult } from "lit";
import type { EndedRow, InFlightRow } from "../../proxy/live/frames.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { age, clock, duration, grouped, NOTHING } from "../format.ts";
import "../elements/panel-tools.ts";
import { requestFigures } from "./request-figures.ts";
import { columnsOf, liveTableStyles } from "../styles/live-table.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

const ROWS = 12;
const IN_FLIGHT_COLUMNS = columnsOf([64, 84, 102, 46, 60, 46]);
const RECENT_COLUMNS = columnsOf([66, 98, 102, 46, 44, 60, 60, 56]);
/** Outcome as glyph and colour; the word stands beside it. */
export const OUTCOMES = {
  completed: ["✓", "--good"],
  rejected: ["⊘", "--warn"],
  failed: ["✕", "--bad"],
  cut: ["✂", "--bad"],
  cancelled: ["↩", "--faint"],
} as const;

/** Rows that open something. */
export const rowStyles = css`
  tbody tr[tabindex] {
    cursor: pointer;
  }
  tbody tr[tabindex]:hover td {
    background: var(--raised);
  }
  .mono {
    font-family: var(--mono);
    font-size: 12px;
  }
  .synthetic {
    color: var(--synthetic);
  }
  .scroll {
    min-height: var(--rows-height, 300px);
  }
`;

/** Asks the page to show one request; bubbles to the shell. */
function open(target: EventTarget, id: string): void {
  target.dispatchEvent(
    new CustomEvent("open-request", { detail: id, bubbles: true, composed: true }),
  );
}

/** What a row does when clicked, or when Enter is pressed on it. */
export function opener(id: string): {
  click: (event: Event) => void;
  key: (event: KeyboardEvent) => void;
} {
  return {
    click: (event) => {
      if (event.currentTarget !== null) open(event.currentTarget, id);
    },
    key: (event) => {
      if (event.key !== "Enter" || event.currentTarget === null) return;
      // The same key press would go on to the dialog it opens, and close it.
      event.preventDefault();
      open(event.currentTarget, id);
    },
  };
}

/** What is under way, the oldest first: where something stuck would show. */
export class InFlightTable extends LitElement {
  static override styles = [panelStyles, tableStyles, liveTableStyles, rowStyles];
  readonly #live = new StoreController(this);

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const rows = store.inFlight.slice(0, ROWS);
    return html`<header>
        <h2>In flight</h2>
        <span class="hint">oldest ${rows.length} of ${store.inFlightTotal}</span>
        <span class="spring"></span>
        <panel-tools .figures=${() => requestFigures("In flight", store.inFlight)}></panel-tools>
      </header>
      <div class="scroll" tabindex="0" role="region" aria-label="Requests in flight">
        <table class="live" style=${IN_FLIGHT_COLUMNS}>
          <thead>
            <tr>
              <th>request</th>
              <th class="left">phase</th>
              <th class="left">replica</th>
              <th>age</th>
              <th>TTFT</th>
              <th>events</th>
            </tr>
          </thead>
          <tbody>
            ${
              rows.length === 0
                ? html`<tr>
                    <td class="empty" colspan="6">Nothing is under way.</td>
                  </tr>`
                : rows.map((row) => this.#row(row))
            }
          </tbody>
        </table>
      </div>`;
  }

  #row(row: InFlightRow): TemplateResult {
    const { click, key } = opener(row.id);
    return html`<tr tabindex="0" @click=${click} @keydown=${key}>
      <td class="mono ${row.origin}">${row.id.slice(0, 8)}</td>
      <td class="left">${row.phase}</td>
      <td class="left">${row.replica ?? NOTHING}</td>
      <td>${age(row.ageMs)}</td>
      <td>${duration(row.ttftMs)}</td>
      <td>${grouped(row.outputEvents)}</td>
    </tr>`;
  }
}

/** What has just ended, newest first. Enter or a click opens the waterfall. */
export class RecentTable extends LitElement {
  static override styles = [panelStyles, tableStyles, liveTableStyles, rowStyles];
  readonly #live = new StoreController(this);

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const rows = store.ended.slice(0, ROWS);
    return html`<header>
        <h2>Recent requests</h2>
        <span class="hint">newest first · open one for its waterfall</span>
        <span class="spring"></span>
        <panel-tools .figures=${() => requestFigures("Recent requests", store.ended)}></panel-tools>
      </header>
      <div class="scroll" tabindex="0" role="region" aria-label="Recent requests">
        <table class="live" style=${RECENT_COLUMNS}>
          <thead>
            <tr>
              <th>ended</th>
              <th class="left">outcome</th>
              <th class="left">replica</th>
              <th>in</th>
              <th>out</th>
              <th>TTFT</th>
              <th>TPOT</th>
              <th>E2E</th>
            </tr>
          </thead>
          <tbody>
            ${
              rows.length === 0
                ? html`<tr>
                    <td class="empty" colspan="8">
                      No request has ended yet: send one to
                      <code>${store.dataUrl}/v1/chat/completions</code>.
                    </td>
                  </tr>`
                : rows.map((row) => this.#row(row))
            }
          </tbody>
        </table>
      </div>`;
  }

  #row(row: EndedRow): TemplateResult {
    const [glyph, color] = OUTCOMES[row.outcome];
    const { click, key } = opener(row.id);
    return html`<tr tabindex="0" @click=${click} @keydown=${key} title=${row.detail ?? ""}>
      <td class="mono ${row.origin}">${clock(row.startedMs + row.e2eMs)}</td>
      <td class="left">
        <span style="color: var(${color})">${glyph}</span>
        ${row.outcome}${row.attempts > 1 ? ` (try ${row.attempts})` : ""}
      </td>
      <td class="left">${row.replica ?? NOTHING}</td>
      <td>${grouped(row.inputTokens)}</td>
      <td>${grouped(row.outputTokens)}</td>
      <td>${duration(row.ttftMs)}</td>
      <td>${duration(row.tpotMs)}</td>
      <td>${duration(row.e2eMs)}</td>
    </tr>`;
  }
}

customElements.define("in-flight-table", InFlightTable);
customElements.define("recent-table", RecentTable);
