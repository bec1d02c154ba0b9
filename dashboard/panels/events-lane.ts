import { css, html, LitElement, type TemplateResult } from "lit";
import type { FleetEvent } from "../../proxy/upstream/fleet.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { age, moment } from "../format.ts";
import "../elements/panel-tools.ts";
import { chartWindow } from "../state/chart-window.ts";
import { type Figures, isoOf } from "../state/figures.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";

/** Rows under the lane: the newest, since those explain what is seen now. */
const ROWS = 6;

const LOOKS: Readonly<Record<string, readonly [glyph: string, color: string]>> = {
  "replica-up": ["▲", "--good"],
  "replica-down": ["▼", "--bad"],
  "replica-draining": ["◐", "--warn"],
  "replica-disabled": ["■", "--faint"],
  "breaker-open": ["⊘", "--bad"],
  "breaker-closed": ["○", "--good"],
  "config-reloaded": ["↻", "--accent"],
  "config-rejected": ["↯", "--bad"],
  "sweep-started": ["⌁", "--synthetic"],
  "sweep-ended": ["◼", "--synthetic"],
  "alert-fired": ["!", "--bad"],
  "alert-cleared": ["✓", "--good"],
  deploy: ["⬆", "--accent"],
  zombie: ["☠", "--warn"],
  "internal-error": ["✕", "--bad"],
};
const OTHER = ["•", "--soft"] as const;

/** What happened to the fleet, on the same time axis as the charts above, and in words. */
export class EventsLane extends LitElement {
  static override styles = [
    panelStyles,
    tableStyles,
    css`
      .lane {
        position: relative;
        height: 24px;
        border-bottom: 1px solid var(--line);
        margin-left: 54px;
      }
      .lane span {
        position: absolute;
        transform: translateX(-50%);
        font-size: 13px;
        cursor: help;
      }
      td.glyph {
        width: 1.5em;
      }
      .scroll {
        min-height: 60px;
      }
      td:last-child {
        white-space: normal;
      }
    `,
  ];
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);

  protected override render(): TemplateResult {
    const { store } = this.#live;
    const { fromMs, untilMs } = chartWindow(this.#at.place, store);
    const shown = store.events.filter(({ atMs }) => atMs <= untilMs);
    const inLane = shown.filter(({ atMs }) => atMs >= fromMs);
    const rows = shown.slice(-ROWS).toReversed();
    return html`<header>
        <h2>Events</h2>
        <span class="hint">${inLane.length} in the window of the charts · newest first</span>
        <span class="spring"></span>
        <panel-tools .figures=${() => figuresOf(shown)}></panel-tools>
      </header>
      <div class="lane" aria-hidden="true">
        ${inLane.map((event) => {
          const [glyph, color] = LOOKS[event.kind] ?? OTHER;
          const left = ((event.atMs - fromMs) / (untilMs - fromMs)) * 100;
          return html`<span
            style="left: ${left}%; color: var(${color})"
            title="${moment(event.atMs)} ${event.subject}: ${event.message}"
            >${glyph}</span
          >`;
        })}
      </div>
      <div class="scroll" tabindex="0" role="region" aria-label="Events">
        <table>
          <tbody>
            ${
              rows.length === 0
                ? html`<tr>
                    <td class="empty">Nothing has happened to the fleet yet.</td>
                  </tr>`
                : rows.map((event) => row(event, store.nowMs))
            }
          </tbody>
        </table>
      </div>`;
  }
}

function figuresOf(events: readonly FleetEvent[]): Figures {
  return {
    name: "Events",
    columns: ["at", "kind", "subject", "message"],
    rows: events.map(({ atMs, kind, subject, message }) => [isoOf(atMs), kind, subject, message]),
  };
}

function row(event: FleetEvent, nowMs: number): TemplateResult {
  const [glyph, color] = LOOKS[event.kind] ?? OTHER;
  return html`<tr data-event=${event.kind}>
    <td class="glyph" style="color: var(${color})">${glyph}</td>
    <td class="left">${moment(event.atMs)}</td>
    <td class="left">${age(Math.max(0, nowMs - event.atMs))} ago</td>
    <td class="left">${event.kind.replaceAll("-", " ")}</td>
    <td class="left">${event.subject}</td>
    <td class="left">${event.message.split("\n")[0]}</td>
  </tr>`;
}

customElements.define("events-lane", EventsLane);
