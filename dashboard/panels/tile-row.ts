import { css, html, LitElement, type TemplateResult } from "lit";
import type { TrafficCell } from "../../proxy/live/frames.ts";
import { StoreController } from "../controllers/store-controller.ts";
import "../elements/figure-value.ts";
import "../elements/spark-line.ts";
import "../elements/panel-tools.ts";
import { addErrors, sayErrors } from "../state/error-words.ts";
import type { Figures } from "../state/figures.ts";
import { grouped, percent, significant } from "../format.ts";
import { figuresTable } from "../elements/figures-table.ts";
import { cardStyles, panelStyles, tableStyles } from "../styles/panel.ts";

/** Seconds a tile's number is over. */
const WINDOW_S = 60;

interface Tile {
  readonly title: string;
  readonly text: string;
  readonly unit: string;
  readonly window: string;
  readonly n: number;
  readonly explains: string;
  readonly values: readonly (number | null)[];
  readonly color: string;
}

/** The four numbers looked at first: requests, tokens, work under way, failures. Real traffic only. */
export class TileRow extends LitElement {
  static override properties = { tableOf: { state: true } };
  static override styles = [
    panelStyles,
    cardStyles,
    tableStyles,
    css`
      :host {
        grid-template-columns: repeat(4, minmax(0, 1fr));
      }
      article {
        padding: 14px 16px 10px;
      }
      h2 {
        color: var(--soft);
        font-weight: 500;
      }
      .number {
        font-size: 30px;
        line-height: 1.25;
        font-weight: 650;
        letter-spacing: -0.02em;
        margin: 2px 0 6px;
        white-space: nowrap;
      }
      .dim {
        opacity: 0.4;
      }
      .row {
        display: flex;
        align-items: baseline;
        gap: 0 6px;
      }
      .scroll {
        max-height: 160px;
      }
      .row h2 {
        flex: 1 0 auto;
      }
      @media (max-width: 600px) {
        .row .hint {
          display: none;
        }
      }
      @media (max-width: 900px) {
        :host {
          grid-template-columns: repeat(2, minmax(0, 1fr));
        }
        .number {
          font-size: 25px;
        }
      }
    `,
  ];
  /** The tile whose figures stand in place of its picture. */
  declare tableOf: string;
  readonly #live = new StoreController(this);

  constructor() {
    super();
    this.tableOf = "";
  }

  protected override render(): TemplateResult {
    return html`${this.#tiles().map(
      (tile) =>
        html`<article>
          <div class="row">
            <h2>${tile.title}</h2>
            <span class="hint">${tile.window}</span>
            <panel-tools
              small
              .figures=${() => figuresOf(tile)}
              .table=${this.tableOf === tile.title}
              @table=${() => (this.tableOf = this.tableOf === tile.title ? "" : tile.title)}
            ></panel-tools>
          </div>
          <div class="number ${this.#live.store.isLive ? "" : "dim"}">
            <figure-value
              data-tile=${tile.title}
              .text=${tile.text}
              .unit=${tile.unit}
              .n=${tile.n}
              .explains=${tile.explains}
            ></figure-value>
          </div>
          ${
            this.tableOf === tile.title
              ? figuresTable(figuresOf(tile))
              : html`<spark-line
                  .values=${tile.values}
                  style="color: var(${tile.color})"
                ></spark-line>`
          }
        </article>`,
    )}`;
  }

  #tiles(): readonly Tile[] {
    const { store } = this.#live;
    const all = store.cells("real", 900);
    const minute = all.slice(-WINDOW_S);
    const seconds = minute.length;
    const rate = (of: (cell: TrafficCell) => number): number | null =>
      seconds === 0 ? null : sum(minute, of) / seconds;
    const failed = sum(minute, failures);
    const judged = failed + sum(minute, (cell) => cell.ended.completed ?? 0);
    const errors = {};
    for (const cell of minute) addErrors(errors, cell.errors ?? {});
    const window = seconds < WINDOW_S ? `last ${seconds} s` : "last minute";
    const requests = sum(minute, endings);
    const origin = "Real traffic only.";
    return [
      {
        title: "Requests",
        text: significant(rate(endings)),
        unit: "req/s",
        window,
        n: requests,
        values: smooth(all, endings),
        color: "--real",
        explains: `Requests that ended, per second, ${window}. ${origin}`,
      },
      {
        title: "Output",
        text: grouped(rate((cell) => cell.outputTokens)),
        unit: "tok/s",
        window,
        n: sum(minute, (cell) => cell.outputTokens),
        values: smooth(all, (cell) => cell.outputTokens),
        color: "--good",
        explains: `Output tokens per second, ${window}, in the second they came, unfinished answers included. Counted by usage, before it by events. ${origin}`,
      },
      {
        title: "In flight",
        text: grouped(store.realInFlight),
        unit: "requests",
        window: "now",
        n: store.realInFlight,
        values: smooth(all, (cell) => cell.inFlight),
        color: "--warn",
        explains: `Requests between their arrival and their end, as of now. ${origin}`,
      },
      {
        title: "Errors",
        text: percent(judged === 0 ? null : failed / judged),
        unit: "",
        window,
        n: judged,
        values: smooth(all, failures),
        color: "--bad",
        explains: `Failed and cut-off requests as a share of those judged, ${window}${failed === 0 ? "" : ` (${sayErrors(errors)})`}. Refused and cancelled ones are nobody's failure. ${origin}`,
      },
    ];
  }
}

function figuresOf({ title, unit, window, n, text, values }: Tile): Figures {
  return {
    name: title,
    columns: ["of", unit === "" ? "value" : unit, "n"],
    rows: [
      [window, text.replaceAll("\u202f", ""), n],
      ...values.map(
        (value, at) => [`10 s, ${(values.length - at) * 10} s ago`, value, null] as const,
      ),
    ],
  };
}

/** Means over ten seconds, so that the shape shows and not the noise. */
function smooth(
  cells: readonly TrafficCell[],
  of: (cell: TrafficCell) => number,
): readonly (number | null)[] {
  const step = 10;
  const values: number[] = [];
  for (let index = cells.length % step; index < cells.length; index += step) {
    values.push(sum(cells.slice(index, index + step), of) / step);
  }
  return values;
}

function sum(cells: readonly TrafficCell[], of: (cell: TrafficCell) => number): number {
  return cells.reduce((total, cell) => total + of(cell), 0);
}

function endings(cell: TrafficCell): number {
  return Object.values(cell.ended).reduce((total, count) => total + count, 0);
}

function failures(cell: TrafficCell): number {
  return (cell.ended.failed ?? 0) + (cell.ended.cut ?? 0);
}

customElements.define("tile-row", TileRow);
