import { css, html, LitElement, type TemplateResult } from "lit";
import type { SweepRow, SweepState } from "../../proxy/synthetic/sweep-view.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { age, grouped, moment, shortModel } from "../format.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

/** State as glyph, word and colour: never colour alone. */
export const SWEEP_STATES: Readonly<Record<SweepState, readonly [glyph: string, color: string]>> = {
  preparing: ["○", "--soft"],
  draining: ["◐", "--soft"],
  running: ["▶", "--synthetic"],
  stopping: ["◐", "--warn"],
  done: ["●", "--good"],
  stopped: ["■", "--warn"],
  failed: ["✕", "--bad"],
  interrupted: ["■", "--warn"],
};

/** The sweeps of this fleet, newest first. */
export class SweepList extends LitElement {
  static override properties = { sweeps: { attribute: false } };
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      tbody tr {
        cursor: pointer;
      }
      tbody tr:hover {
        background: var(--raised);
      }
      td.answer {
        text-align: left;
        white-space: normal;
        min-width: 220px;
        color: var(--soft);
      }
    `,
  ];
  declare sweeps: readonly SweepRow[];
  readonly #at = new PlaceController(this);

  constructor() {
    super();
    this.sweeps = [];
  }

  protected override render(): TemplateResult {
    return html`<header>
        <h2>Sweeps</h2>
        <span class="hint">synthetic load, never part of a user's figures</span>
      </header>
      <div class="scroll" tabindex="0" role="region" aria-label="Sweeps">
        <table>
          <thead>
            <tr>
              <th>begun</th>
              <th class="left">state</th>
              <th class="left">replica</th>
              <th class="left">model</th>
              <th class="left">shapes</th>
              <th class="left">preset</th>
              <th>took</th>
              <th>points</th>
              <th>requests</th>
              <th class="left">answer</th>
            </tr>
          </thead>
          <tbody>
            ${this.sweeps.map((row) => this.#row(row))}
          </tbody>
        </table>
      </div>`;
  }

  #row(row: SweepRow): TemplateResult {
    const [glyph, color] = SWEEP_STATES[row.state];
    const open = (): void => {
      this.#at.place.go("sweeps", row.id);
    };
    return html`<tr
      tabindex="0"
      data-sweep=${row.id}
      @click=${open}
      @keydown=${(event: KeyboardEvent) => {
        if (event.key === "Enter") open();
      }}
    >
      <td>${moment(row.startedMs)}</td>
      <td class="left" style="color: var(${color})">${glyph} ${row.state}</td>
      <td class="left">${row.replica}</td>
      <td class="left">${shortModel(row.model)}</td>
      <td class="left">${row.shapes.join(", ")}</td>
      <td class="left">${row.preset}</td>
      <td>${age((row.endedMs ?? Date.now()) - row.startedMs)}</td>
      <td>${row.points}</td>
      <td>${grouped(row.requests)}</td>
      <td class="answer">${row.headline ?? row.because}</td>
    </tr>`;
  }
}

customElements.define("sweep-list", SweepList);
