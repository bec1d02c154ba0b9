import { css, html, LitElement, nothing, type TemplateResult } from "lit";
import type { SloView } from "../../proxy/telemetry/slo/slo-view.ts";
import { PlaceController } from "../controllers/place-controller.ts";
import { StoreController } from "../controllers/store-controller.ts";
import "../elements/figure-value.ts";
import "../elements/spark-line.ts";
import { age, grouped, NOTHING, percent, significant } from "../format.ts";
import { figuresTable } from "../elements/figures-table.ts";
import "../elements/panel-tools.ts";
import type { Figures } from "../state/figures.ts";
import { cardStyles, panelStyles, tableStyles } from "../styles/panel.ts";

/** State as glyph, word and colour: never colour alone. */
const STATES = {
  ok: ["●", "kept", "--good"],
  ticket: ["▲", "at risk", "--warn"],
  page: ["✕", "breaking", "--bad"],
} as const;

/** Fewer points are no line. */
const POINTS_MIN = 2;
/** No promise is budgeted for longer: beyond it a number of days says nothing. */
const YEAR_MS = 365 * 86_400_000;

/** The promises, worst budget first: how well they are kept, how fast the budget goes, when it is gone. */
export class SloCards extends LitElement {
  static override properties = { tableOf: { state: true } };
  static override styles = [
    panelStyles,
    cardStyles,
    tableStyles,
    css`
      :host {
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr));
      }
      /* The same lines of all cards at the same height, however long a sentence is. */
      article {
        border-left: 3px solid var(--state);
        display: grid;
        grid-row: span 5;
        grid-template-rows: subgrid;
        row-gap: 0;
      }
      .sentence {
        color: var(--soft);
        font-size: 12.5px;
        margin: 2px 0 10px;
      }
      .state {
        color: var(--state);
        font-size: 12px;
        font-weight: 600;
        white-space: nowrap;
      }
      .bar {
        height: 8px;
        border-radius: 4px;
        background: var(--raised);
        overflow: hidden;
        margin: 4px 0 8px;
      }
      .bar i {
        display: block;
        height: 100%;
        background: var(--state);
      }
      dl {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 4px 12px;
        margin: 8px 0 0;
      }
      dt {
        color: var(--faint);
        font-size: 11.5px;
        white-space: nowrap;
      }
      dd {
        margin: 0;
        font-weight: 600;
      }
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 24px;
        list-style: none;
        margin: 0;
        padding: 0 4px;
        color: var(--soft);
        grid-column: 1 / -1;
      }
      li[aria-current="true"] {
        color: var(--text);
        font-weight: 600;
      }
      .scroll {
        max-height: 160px;
      }
      .dim {
        opacity: 0.4;
      }
    `,
  ];
  /** The promise whose figures stand in place of its picture. */
  declare tableOf: string;
  readonly #live = new StoreController(this);
  readonly #at = new PlaceController(this);

  constructor() {
    super();
    this.tableOf = "";
  }

  protected override render(): TemplateResult | typeof nothing {
    const { slos, isLive } = this.#live.store;
    this.toggleAttribute("hidden", slos.length === 0);
    this.style.display = slos.length === 0 ? "none" : "";
    if (slos.length === 0) return nothing;
    const chosen = this.#at.place.isKiosk ? this.#at.place.query.get("slo") : null;
    const alone = slos.find(({ name }) => name === chosen);
    if (alone === undefined) return html`${slos.map((slo) => this.#card(slo, isLive))}`;
    return html`${this.#card(alone, isLive)}${this.#others(slos, alone)}`;
  }

  /** On a wall that turns through promises the others are one line: none of them breaks unseen. */
  #others(slos: readonly SloView[], alone: SloView): TemplateResult {
    return html`<ul aria-label="The other promises">
      ${slos.map((slo) => {
        const [glyph, word, color] = STATES[slo.state];
        return html`<li aria-current=${slo === alone}>
          <span style="color: var(${color})">${glyph}</span> ${slo.name} ${word}
        </li>`;
      })}
    </ul>`;
  }

  #card(slo: SloView, isLive: boolean): TemplateResult {
    const [glyph, word, color] = STATES[slo.state];
    const left = slo.budgetRemaining;
    const width = Math.max(0, Math.min(1, left ?? 0)) * 100;
    return html`<article
      style="--state: var(${color})"
      class=${isLive ? "" : "dim"}
      data-slo=${slo.name}
    >
      <header style="margin-bottom: 0">
        <h2>${slo.name}</h2>
        <span class="spring"></span>
        <span class="state">${glyph} ${word}</span>
        <panel-tools
          small
          .figures=${() => figuresOf(slo)}
          .table=${this.tableOf === slo.name}
          @table=${() => (this.tableOf = this.tableOf === slo.name ? "" : slo.name)}
        ></panel-tools>
      </header>
      <p class="sentence">${slo.sentence}</p>
      <div
        class="bar"
        role="meter"
        aria-label="Error budget left"
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${Math.round(width)}
      >
        <i style="width: ${width}%"></i>
      </div>
      ${
        this.tableOf === slo.name
          ? figuresTable(figuresOf(slo))
          : slo.budgetHistory.filter((left) => left !== null).length < POINTS_MIN
            ? html`<span></span>`
            : html`<spark-line
                .values=${slo.budgetHistory}
                style="color: var(${color})"
              ></spark-line>`
      }
      <dl>
        ${fact("kept", attained(slo))}${fact("budget left", budget(slo))}${fact("exhausted in", exhausted(slo))}
        ${slo.burn
          .slice(0, 3)
          .map(({ windowMs, rate, valid }) =>
            fact(
              `burn, ${age(windowMs)}`,
              html`<figure-value
                .text=${rate === null ? NOTHING : `${significant(rate)} ×`}
                .n=${valid}
                .explains=${`Share of bad requests over ${age(windowMs)} against what the objective allows; 1 × spends the budget in exactly the period.`}
              ></figure-value>`,
            ),
          )}
      </dl>
    </article>`;
  }
}

function figuresOf(slo: SloView): Figures {
  return {
    name: `Promise ${slo.name}`,
    columns: ["of", "value", "n"],
    rows: [
      ["objective", slo.options.objective, null],
      ["kept", slo.attainment, slo.valid],
      ["budget left", slo.budgetRemaining, slo.valid],
      ["exhausted in ms", slo.exhaustedInMs, null],
      ...slo.burn.map(
        ({ windowMs, rate, valid }) => [`burn over ${windowMs} ms`, rate, valid] as const,
      ),
      ...slo.budgetHistory.map((left, at) => [`budget, point ${at + 1}`, left, null] as const),
    ],
  };
}

function fact(name: string, value: TemplateResult): TemplateResult {
  return html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;
}

function attained(slo: SloView): TemplateResult {
  const excluded = Object.entries(slo.excluded)
    .filter(([, count]) => count > 0)
    .map(([why, count]) => `${count} ${why}`)
    .join(", ");
  return html`<figure-value
    .text=${percent(slo.attainment)}
    .n=${slo.valid}
    .explains=${`Good of valid requests in the period: ${grouped(slo.good)} of ${grouped(slo.valid)}. Left out: ${excluded || "none"}. Real traffic only.`}
  ></figure-value>`;
}

function budget(slo: SloView): TemplateResult {
  return html`<figure-value
    .text=${percent(slo.budgetRemaining)}
    .n=${slo.valid}
    .explains=${"Share of the error budget left in the period; below zero the promise is already broken."}
  ></figure-value>`;
}

function exhausted(slo: SloView): TemplateResult {
  const text =
    slo.budgetRemaining !== null && slo.budgetRemaining <= 0
      ? "spent"
      : slo.exhaustedInMs === null
        ? slo.valid === 0
          ? NOTHING
          : "never"
        : slo.exhaustedInMs > YEAR_MS
          ? "over a year"
          : age(slo.exhaustedInMs);
  return html`<figure-value
    .text=${text}
    .explains=${"Until the budget is gone if requests go on failing as in the last hour, at average traffic."}
  ></figure-value>`;
}

customElements.define("slo-cards", SloCards);
