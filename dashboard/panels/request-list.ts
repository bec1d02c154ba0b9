import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import type { EndedRow } from "../../proxy/live/frames.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { PollController } from "../controllers/poll-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import { clock, grouped, moment, percent } from "../format.ts";
import type { Loaded } from "../state/api.ts";
import "../elements/panel-tools.ts";
import type { Figures } from "../state/figures.ts";
import { recordedRequests } from "../state/recorded-requests.ts";
import { SELECTION_MIN, sharedTraits, type Trait } from "../state/shared-traits.ts";
import { columnsOf, liveTableStyles } from "../styles/live-table.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";
import { requestFigures } from "./request-figures.ts";
import { requestRow, sayFilter } from "./request-row.ts";
import { rowStyles } from "./request-tables.ts";

/** What the list shows, by the words people come with. */
const PRESETS = [
  ["all", "all"],
  ["slowest", "slowest"],
  ["failed", "failed"],
  ["slow", "missed a target"],
] as const;
/** Parts of the address that filter; the API knows them by these names. */
const FILTERS = ["replica", "model", "outcome", "origin", "client", "from", "until"] as const;
const ROWS = 200;
/** Least widths of the columns after the first, in pixels. */
const COLUMNS_PX = [150, 68, 120, 102, 72, 46, 54, 42, 72, 60, 60, 56, 36];
/** A time of day, and one with its date. */
const STARTED_PX = [66, 140] as const;
/** As many as the control plane gives at once. */
const ROWS_KEPT = 1_000;
/** The slowest are few, or they would not be the slowest. */
const ROWS_SLOWEST = 40;
/** The list is asked for again this often while nobody paused it. */
const REFRESH_MS = 2_000;

interface Answer {
  readonly requests: readonly EndedRow[];
  readonly total: number;
  readonly keptMax: number | null;
}

/** The requests that ended last, by preset and filters, which are the address; and what the chosen ones share. */
export class RequestList extends LitElement {
  static override styles = [
    panelStyles,
    tableStyles,
    liveTableStyles,
    rowStyles,
    css`
      .chips {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
        margin-bottom: 10px;
        align-items: center;
      }
      select {
        font: inherit;
        font-size: 12px;
        color: var(--text);
        background: var(--panel);
        border: 1px solid var(--line);
        border-radius: 6px;
        padding: 2px 6px;
      }
      .shared {
        border: 1px solid var(--line);
        border-radius: 8px;
        padding: 10px 12px;
        margin-bottom: 12px;
        font-size: 13px;
      }
      .shared h3 {
        font-size: 13px;
        margin: 0 0 6px;
      }
      .shared ul {
        margin: 0;
        padding: 0;
        list-style: none;
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 6px 18px;
      }
      .shared p {
        margin: 6px 0 0;
      }
      .scroll {
        max-height: 70vh;
      }
    `,
  ];
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);
  readonly #chosen = this.#poll();
  /** All that are kept: what the chosen ones are held against, asked for only when some are chosen. */
  readonly #everyone = this.#poll();

  protected override willUpdate(): void {
    const { isRecording } = this.#live.store;
    this.#chosen.ask(isRecording ? null : `/requests?${this.#query()}`);
    this.#everyone.ask(isRecording || !this.#isNarrowed ? null : `/requests?limit=${ROWS_KEPT}`);
  }

  protected override render(): TemplateResult {
    const rows = this.#rows();
    const hint =
      rows.kind === "ready" ? `${rows.value.requests.length} shown · ${keptOf(rows.value)}` : "";
    return html`<header>
        <h2>Ended requests</h2>
        <span class="hint">${hint}</span>
        <span class="spring"></span>
        <panel-tools .figures=${this.#figures}></panel-tools>
      </header>
      ${this.#chips()} ${this.#shared(rows)}
      ${rows.kind === "loading" ? html`<p class="hint" role="status">Loading…</p>` : rows.kind === "error" ? html`<p role="alert">${rows.message}</p>` : this.#guarded(rows.value.requests)}`;
  }

  #rows(): Loaded<Answer> {
    const { store } = this.#live;
    if (!store.isRecording) return this.#chosen.answer;
    const asked = new URLSearchParams(this.#query());
    const requests = recordedRequests(store.ended, asked, store.goodput);
    return { kind: "ready", value: { requests, total: store.ended.length, keptMax: null } };
  }

  get #isNarrowed(): boolean {
    return this.#query() !== `limit=${ROWS}&preset=all`;
  }

  #query(): string {
    const { query } = this.#at.place;
    const preset = query.get("preset") ?? "all";
    const limit = preset === "slowest" ? ROWS_SLOWEST : ROWS;
    const asked = new URLSearchParams({ limit: String(limit), preset });
    for (const name of FILTERS) {
      const value = query.get(name);
      if (value !== null) asked.set(name, value);
    }
    const slower = query.get("slower");
    if (slower !== null) asked.set("ttftAtLeastMs", slower);
    return asked.toString();
  }

  #poll(): PollController<Answer> {
    const isHeld = (): boolean => this.#live.store.pausedAtMs !== null;
    return new PollController<Answer>(this, () => REFRESH_MS, isHeld);
  }

  #chips(): TemplateResult {
    const { place } = this.#at;
    const preset = place.query.get("preset") ?? "all";
    const replicas = [...this.#live.store.replicas.keys()];
    const filters = [...FILTERS, "slower"].filter((name) => place.query.has(name));
    return html`<div class="chips" role="group" aria-label="Filters">
      ${PRESETS.map(
        ([name, title]) =>
          html`<button
            aria-pressed=${name === preset}
            @click=${() => place.set("preset", name === "all" ? null : name)}
          >
            ${title}
          </button>`,
      )}
      <select
        data-filter
        aria-label="Replica"
        @change=${(event: Event) => place.set("replica", (event.target as HTMLSelectElement).value || null)}
      >
        <option value="">every replica</option>
        ${replicas.map((id) => html`<option value=${id} ?selected=${id === place.query.get("replica")}>${id}</option>`)}
      </select>
      ${filters.map(
        (name) =>
          html`<button @click=${() => place.set(name, null)} title="Remove this filter">
            ${sayFilter(name, place.query.get(name) ?? "")} ✕
          </button>`,
      )}
    </div>`;
  }

  #shared(rows: Loaded<Answer>): TemplateResult | typeof nothing {
    if (rows.kind !== "ready" || !this.#isNarrowed) return nothing;
    const { store } = this.#live;
    const { answer } = this.#everyone;
    const everyone = store.isRecording
      ? store.ended
      : answer.kind === "ready"
        ? answer.value.requests
        : null;
    if (everyone === null) return nothing;
    const chosen = new Set(rows.value.requests.map(({ id }) => id));
    const others = everyone.filter(({ id }) => !chosen.has(id));
    const traits = sharedTraits(rows.value.requests, others);
    const told =
      chosen.size < SELECTION_MIN
        ? html`<p class="hint">Too few requests to tell.</p>`
        : traits.length === 0
          ? html`<p class="hint">Nothing the others do not have as well.</p>`
          : html`<ul>
              ${traits.map((trait) => this.#trait(trait))}
            </ul>`;
    return html`<section class="shared" aria-label="What do these share?">
      <h3>What do these ${chosen.size} share that the other ${others.length} do not?</h3>
      ${told}
      ${chosen.size === 0 ? nothing : html`<p class="hint">${spanOf(rows.value.requests)}</p>`}
    </section>`;
  }

  #trait({ name, value, inside, outside, filter }: Trait): TemplateResult {
    const text = `${name} ${value}: ${percent(inside)} of these, ${percent(outside)} of the others`;
    return filter === null
      ? html`<li class="hint">${text}</li>`
      : html`<li>
          <button data-trait=${name} @click=${() => this.#at.place.set(filter[0], filter[1])}>
            ${text}
          </button>
        </li>`;
  }

  /** Between two answers nothing in it changes, whatever the frames bring. */
  #guarded(rows: readonly EndedRow[]): unknown {
    return guard([rows, this.#at.place.isUtc], () => this.#table(rows));
  }

  #table(rows: readonly EndedRow[]): TemplateResult {
    const isDated = rows.some(({ startedMs }) => moment(startedMs) !== clock(startedMs));
    const columns = columnsOf([STARTED_PX[isDated ? 1 : 0], ...COLUMNS_PX]);
    return html`<div class="scroll" tabindex="0" role="region" aria-label="Ended requests">
      <table class="live" style=${columns}>
        <thead>
          <tr>
            <th>started</th>
            <th class="left">outcome</th>
            <th class="left">origin</th>
            <th class="left">model</th>
            <th class="left">replica</th>
            <th class="left">client</th>
            <th>in</th>
            <th>cached</th>
            <th>out</th>
            <th class="left">counted by</th>
            <th>TTFT</th>
            <th>TPOT</th>
            <th>E2E</th>
            <th>tries</th>
          </tr>
        </thead>
        <tbody>
          ${
            rows.length === 0
              ? html`<tr>
                  <td class="empty" colspan="14">
                    No request matches: take a filter away, or wait for traffic.
                  </td>
                </tr>`
              : rows.map(requestRow)
          }
        </tbody>
      </table>
    </div>`;
  }

  readonly #figures = (): Figures => {
    const rows = this.#rows();
    return requestFigures("Requests", rows.kind === "ready" ? rows.value.requests : []);
  };
}

/** Since when, and until when. */
function spanOf(rows: readonly EndedRow[]): string {
  const moments = rows.map(({ startedMs }) => startedMs);
  return `they began between ${moment(Math.min(...moments))} and ${moment(Math.max(...moments))}`;
}

function keptOf({ total, keptMax }: Answer): string {
  return keptMax === null || total <= keptMax
    ? `all ${grouped(total)} are kept`
    : `the last ${grouped(keptMax)} of ${grouped(total)} are kept`;
}

customElements.define("request-list", RequestList);
