import { css, html, LitElement, noChange, type TemplateResult } from "lit";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import "../elements/panel-tools.ts";
import type { Figures } from "../state/figures.ts";
import { columnsOf, liveTableStyles } from "../styles/live-table.ts";
import { panelStyles, tableStyles } from "../styles/panel.ts";
import { ReplicaOrder } from "./replica-order.ts";
import { isFew, REPLICA_COLUMNS, type ReplicaColumn, type ReplicaRow } from "./replica-columns.ts";

/** A name and its engine. With the usual columns the table fits a screen of 1,280 pixels, its scroll bar beside it. */
const NAME_PX = 156;
/** Every replica in one dense table; which columns, and by what they are sorted, is in the address. */
export class ReplicaTable extends LitElement {
  static override styles = [
    panelStyles,
    tableStyles,
    liveTableStyles,
    css`
      .name {
        font-weight: 600;
        color: inherit;
        text-decoration: none;
      }
      .name:hover {
        text-decoration: underline;
      }
      .kind {
        color: var(--faint);
        font-size: 12px;
      }
      .sub {
        color: var(--faint);
        font-size: 12px;
        margin-left: 8px;
      }
      /* One picture each: parts within a clip would be painted one by one, for every replica, each second. */
      .bar,
      .hour {
        display: inline-block;
        border-radius: 3px;
        vertical-align: middle;
      }
      .bar {
        width: 24px;
        height: 6px;
        margin-right: 6px;
        background: linear-gradient(90deg, var(--accent) var(--filled), var(--raised) 0);
      }
      .hour {
        width: 48px;
        height: 10px;
      }
      .scroll {
        max-height: 75vh;
      }
      th button {
        border: none;
        padding: 0;
        color: inherit;
        background: none;
      }
      details {
        position: relative;
        font-size: 12px;
        color: var(--soft);
      }
      summary {
        cursor: pointer;
        border: 1px solid var(--line);
        border-radius: 6px;
        padding: 2px 8px;
        list-style: none;
      }
      .picker {
        position: absolute;
        right: 0;
        top: calc(100% + 4px);
        z-index: 12;
        display: grid;
        grid-template-columns: repeat(2, max-content);
        gap: 4px 16px;
        padding: 10px 14px;
        background: var(--raised);
        border: 1px solid var(--line);
        border-radius: 8px;
      }
    `,
  ];
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);
  readonly #order = new ReplicaOrder();
  /** Rows on the screen, by their place. */
  readonly #inSight = new Set<number>();
  readonly #sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const at = (target as HTMLTableRowElement).sectionRowIndex;
      if (isIntersecting) this.#inSight.add(at);
      else this.#inSight.delete(at);
    }
    this.requestUpdate();
  });

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#sight.disconnect();
    this.#inSight.clear();
  }

  protected override updated(): void {
    // Asking for one that is watched already changes nothing.
    for (const row of this.renderRoot.querySelectorAll("tr[data-replica]"))
      this.#sight.observe(row);
  }

  protected override render(): TemplateResult {
    const columns = this.#columns();
    const { store } = this.#live;
    const unordered = [...store.replicas.values()].map((view) => ({
      view,
      tally: store.lately.byReplica.get(view.id) ?? null,
      store,
    }));
    const isAnew = this.#order.hold(unordered, { sort: this.sort, columns, nowMs: store.nowMs });
    const rows = this.#order.of(unordered);
    const up = rows.filter(({ view }) => view.state === "up").length;
    return html`<header>
        <h2>Replicas</h2>
        <span class="hint"
          >${up} of ${rows.length} up · latencies and rates of real traffic over 5 min · engine
          figures as the engine tells them</span
        >
        <span class="spring"></span>
        ${this.#picker(columns)}
        <panel-tools .figures=${() => figuresOf(rows, columns)}></panel-tools>
      </header>
      <div class="scroll" tabindex="0" role="region" aria-label="Replicas">
        <table class="live" style=${columnsOf([NAME_PX, ...columns.map(({ widthPx }) => widthPx)])}>
          <thead>
            <tr>
              ${this.#head("name", "replica")}
              ${columns.map((column) => this.#head(column.key, column.title, column))}
            </tr>
          </thead>
          <tbody>
            ${
              rows.length === 0
                ? html`<tr>
                    <td class="empty" colspan=${columns.length + 1}>
                      No replica is configured: start with
                      <code>pitot serve --replica http://host:port</code>.
                    </td>
                  </tr>`
                : rows.map((row, at) =>
                    isAnew || this.#inSight.has(at) ? this.#row(row, columns) : noChange,
                  )
            }
          </tbody>
        </table>
      </div>`;
  }

  #columns(): readonly ReplicaColumn[] {
    const chosen = this.#at.place.query.get("cols")?.split(",");
    return REPLICA_COLUMNS.filter(({ key, isExtra }) =>
      chosen === undefined ? isExtra !== true : chosen.includes(key),
    );
  }

  /** A column's key, `-` before it for the largest first; `null` for the usual order. */
  get sort(): string | null {
    const asked = this.#at.place.query.get("sort");
    const key = asked?.replace(/^-/, "");
    return key === "name" || REPLICA_COLUMNS.some((column) => column.key === key)
      ? (asked ?? null)
      : null;
  }

  #head(key: string, title: string, column?: ReplicaColumn): TemplateResult {
    const { sort } = this;
    const direction = sort === key ? "ascending" : sort === `-${key}` ? "descending" : "none";
    const glyph = { ascending: " ↑", descending: " ↓", none: "" }[direction];
    const next = { ascending: null, descending: key, none: `-${key}` }[direction];
    return html`<th
      class=${column?.isLeft === true ? "left" : ""}
      aria-sort=${direction}
      title=${column?.explains ?? ""}
    >
      <button @click=${() => this.#at.place.set("sort", next)}>${title}${glyph}</button>
    </th>`;
  }

  #picker(shown: readonly ReplicaColumn[]): TemplateResult {
    return html`<details>
      <summary>columns</summary>
      <div class="picker">
        ${REPLICA_COLUMNS.map(
          (column) =>
            html`<label
              ><input
                type="checkbox"
                .checked=${shown.includes(column)}
                @change=${() => this.#toggle(column, shown)}
              />
              ${column.title}</label
            >`,
        )}
      </div>
    </details>`;
  }

  #toggle(column: ReplicaColumn, shown: readonly ReplicaColumn[]): void {
    const chosen = REPLICA_COLUMNS.filter((one) => shown.includes(one) !== (one === column));
    const isUsual = REPLICA_COLUMNS.every((one) => chosen.includes(one) === (one.isExtra !== true));
    this.#at.place.set("cols", isUsual ? null : chosen.map(({ key }) => key).join(","));
  }

  #row(row: ReplicaRow, columns: readonly ReplicaColumn[]): TemplateResult {
    const { id, engine, version } = row.view;
    const about = `${engine ?? "unknown"} ${version ?? ""}`.trim();
    // Where the name says which engine it is, its version is all there is to add.
    const isNamed = engine !== null && version !== null && id.startsWith(engine);
    return html`<tr data-replica=${id}>
      <td title="${id}, ${about}">
        <a
          class="name"
          href=${this.#at.place.href("replicas", id)}
          @click=${(event: MouseEvent) => {
            this.#at.place.follow(event, "replicas", id);
          }}
          >${id}</a
        ><span class="sub">${isNamed ? version : about}</span>
      </td>
      ${columns.map((column) => cell(column, row))}
    </tr>`;
  }
}

function cell(column: ReplicaColumn, row: ReplicaRow): TemplateResult {
  const style = `${column.isLeft === true ? "left" : ""} ${isFew(column, row) ? "few" : ""}`.trim();
  const n = column.n?.(row);
  return html`<td class=${style} title=${n === undefined ? "" : `n = ${n}`}>
    ${column.show?.(row) ?? column.value(row)}
  </td>`;
}

function figuresOf(rows: readonly ReplicaRow[], columns: readonly ReplicaColumn[]): Figures {
  return {
    name: "Replicas",
    columns: ["replica", "engine", ...columns.map(({ title }) => title)],
    rows: rows.map((row) => [
      row.view.id,
      `${row.view.engine ?? "unknown"} ${row.view.version ?? ""}`.trim(),
      ...columns.map((column) => (column.key === "state" ? row.view.state : column.value(row))),
    ]),
  };
}

customElements.define("replica-table", ReplicaTable);
